import Dispatch
import FacetDemo
import FacetDoctor
import FacetTensor
import FacetTestSupport
import Foundation
import Synchronization
import Testing

/// Cards out of nowhere.
private struct FakeGPUProbe: GPUProbe {
    var cards: @Sendable () throws -> GPUFacts? = { try Machine.named("two-4090").facts.gpu }
    var pairs: @Sendable () throws -> [PeerFacts] = { [] }

    func facts() throws -> GPUFacts? { try cards() }
    func peers() throws -> [PeerFacts] { try pairs() }

    /// What the cards compute on; none is started without it.
    var starting: @Sendable ([String]) throws -> ReadyCards = { _ in throw CardUnavailable("no card here") }
    var linkNow: LinkFacts?

    func start(_ uuids: [String]) throws -> ReadyCards { try starting(uuids) }
    func link(_ uuid: String) throws -> LinkFacts? { linkNow }
}

private struct Broken: Error, CustomStringConvertible {
    var description: String { "nvmlInit: the driver is not loaded (9)" }
}

@Suite("Doctor")
struct DoctorTests {
    /// A doctor of a planted machine that computes nothing; its limits are far beyond what a paused test needs.
    private func doctor(_ system: PlantedSystem) -> Doctor {
        var doctor = Doctor(version: "1.2.3", backends: ["cpu", "cuda"])
        doctor.roots = system.roots
        doctor.limits = Doctor.Limits(reading: .seconds(3600), computing: .seconds(3600))
        return doctor
    }

    @Test("runs every probe that it was given, and says how each ended")
    func probes() async throws {
        let system = try PlantedSystem()
        try system.plant("proc/meminfo", "MemTotal: 1048576 kB\nMemAvailable: 1048576 kB\n")
        var doctor = doctor(system)
        doctor.gpuProbe = FakeGPUProbe(pairs: { [PeerFacts(from: 0, to: 1)] })
        doctor.environment = ["CUDA_VISIBLE_DEVICES": "1"]
        let names = Mutex<[String]>([])
        let facts = await doctor.facts { name in names.withLock { $0.append(name) } }
        #expect(
            facts.probes.map(\.name) == [
                "host", "build", "driver", "library", "cards", "peers", "operations", "operations", "operations",
            ])
        #expect(names.withLock { $0 }.suffix(3) == ["operations", "operations, card 0", "operations, card 1"])
        #expect(facts.probes.allSatisfy { $0.outcome == .finished })
        #expect(facts.host?.totalBytes == 1 << 30 && facts.build?.version == "1.2.3")
        #expect(facts.gpu?.cards?.count == 2 && facts.gpu?.peers == [PeerFacts(from: 0, to: 1)])
        #expect(facts.environment?.cudaVisibleDevices == "1" && facts.model == nil)
    }

    @Test("a probe that throws is reported with its reason, and the others go on")
    func throwing() async throws {
        var doctor = doctor(try PlantedSystem())
        doctor.gpuProbe = FakeGPUProbe(cards: { throw Broken() })
        let facts = await doctor.facts()
        #expect(facts.gpu == nil && facts.selfTest?.operations == [])
        let row = try #require(DoctorReport(facts).findings.first { $0.check == "probe" })
        #expect(row.verdict == .fail && row.subject == "cards" && row.found == "\(Broken())")
    }

    @Test("a probe that hangs is left behind after its limit, and the others go on")
    func hanging() async throws {
        let release = DispatchSemaphore(value: 0)
        var doctor = doctor(try PlantedSystem())
        doctor.limits.computing = .milliseconds(200)
        doctor.gpuProbe = FakeGPUProbe(pairs: {
            release.wait()
            return []
        })
        let facts = await doctor.facts()
        release.signal()
        #expect(facts.gpu?.cards?.count == 2 && facts.gpu?.peers == nil)
        #expect(facts.probes.first { $0.name == "peers" }?.outcome == .timedOut)
        let row = try #require(DoctorReport(facts).findings.first { $0.subject == "peers" })
        #expect(row.group == .peer && row.verdict == .fail && row.found == "no answer after 0.2 s")
    }

    @Test("libraries that are not installed are no failure of the probe")
    func noLibraries() async throws {
        var doctor = doctor(try PlantedSystem())
        doctor.gpuProbe = FakeGPUProbe(cards: { nil })
        let facts = await doctor.facts()
        #expect(facts.gpu == nil && facts.probes.first { $0.name == "cards" }?.outcome == .finished)
        #expect(DoctorReport(facts).verdict == .note)
    }

    @Test("pairs are not tried on a machine with one card")
    func oneCard() async throws {
        var doctor = doctor(try PlantedSystem())
        doctor.gpuProbe = FakeGPUProbe(cards: { try Machine.named("2080ti").facts.gpu ?? GPUFacts() })
        #expect(await doctor.facts().probes.contains { $0.name == "peers" } == false)
    }

    @Test("a model is planned over the cards that were found, and refused where they are too small")
    func cardPlan() async throws {
        let recipe = FixtureFolder.path("glm4v-tiny")
        for (bytes, fits) in [(24 << 30, true), (600 << 20, false)] {
            var doctor = doctor(try PlantedSystem())
            doctor.modelFolder = recipe.path
            doctor.gpuProbe = FakeGPUProbe(cards: {
                var gpu = try Machine.named("two-4090").facts.gpu ?? GPUFacts()
                gpu.cards = gpu.cards?.map { card in
                    var card = card
                    card.totalBytes = bytes
                    card.freeBytes = bytes
                    return card
                }
                return gpu
            })
            let facts = await doctor.facts()
            let plan = try #require(facts.model?.cardPlan)
            #expect(plan.fits == fits, "\(plan.summary)")
        }
    }

    @Test("a divided card counts with the memory of the instance that is visible, not with all of its own")
    func instancePlan() async throws {
        for (bytes, fits) in [(8 << 30, true), (600 << 20, false)] {
            var doctor = doctor(try PlantedSystem())
            doctor.modelFolder = FixtureFolder.path("glm4v-tiny").path
            doctor.environment = ["CUDA_VISIBLE_DEVICES": "MIG-a3f1c7de-0b42-5a7e-8e7f-1f2d3c4b5a61"]
            doctor.gpuProbe = FakeGPUProbe(cards: {
                var gpu = try Machine.named("mig").facts.gpu ?? GPUFacts()
                gpu.cards?[0].instances?[1].totalBytes = bytes
                return gpu
            })
            let plan = try #require(await doctor.facts().model?.cardPlan)
            #expect(plan.fits == fits, "\(plan.summary)")
        }
    }

    @Test("small computations are right on every instruction set, and the demo model sees what is drawn")
    func selfTest() async throws {
        var doctor = doctor(try PlantedSystem())
        doctor.devices = InstructionSet.allCases.filter(\.isSupported).map { set in
            Doctor.Device(label: set.rawValue) { try CPUBackend(threadCount: 2, instructionSet: set) }
        }
        doctor.pictureModel = DemoModel.files
        let facts = await doctor.facts()
        let rows = DoctorReport(facts).findings.filter { $0.group == .selfTest }
        #expect(rows.map(\.verdict) == Array(repeating: .ok, count: doctor.devices.count + 1), "\(rows)")
        #expect(facts.selfTest?.operations?.count == 8 * doctor.devices.count)
        // Rounded results differ from exact ones: errors of nothing would be those of a test that compares nothing.
        let rounded = facts.selfTest?.operations?.filter { $0.name.hasSuffix("bfloat16") } ?? []
        #expect(!rounded.isEmpty && rounded.allSatisfy { ($0.error ?? 0) > 0 })
    }
}
