import FacetDemo
import FacetDoctor
import FacetTensor
import FacetTestSupport
import Testing

/// Two cards that are parts of the processor.
private struct ProcessorProbe: GPUProbe {
    var starting: @Sendable ([String]) throws -> ReadyCards = { uuids in
        let devices = try uuids.indices.map { try CPUDevice(index: $0, budgetByteCount: 256 << 20) }
        return ReadyCards(devices, dtype: .bfloat16, transport: "direct")
    }

    func facts() throws -> GPUFacts? { try Machine.named("two-4090").facts.gpu }
    func peers() throws -> [PeerFacts] { [] }
    func start(_ uuids: [String]) throws -> ReadyCards { try starting(uuids) }
    func link(_ uuid: String) throws -> LinkFacts? { nil }
}

/// Adds nothing.
private final class DeafDevice: ForwardingBackend {
    override func add(_ x: Tensor, to y: Tensor) throws(TensorError) {}
}

private struct Defect: Error, CustomStringConvertible {
    var description: String { "the kernels do not load" }
}

/// What is computed on the cards that CUDA shows.
@Suite("Tests of cards")
struct CardTestTests {
    private func facts(_ probe: ProcessorProbe, picture: Bool = false) async throws -> Facts {
        var doctor = Doctor(version: "1.2.3", backends: ["cuda"])
        doctor.roots = try PlantedSystem().roots
        doctor.limits = Doctor.Limits(
            reading: .seconds(3600), computing: .seconds(3600), starting: .seconds(3600))
        doctor.gpuProbe = probe
        doctor.pictureModel = picture ? DemoModel.files : nil
        return await doctor.facts()
    }

    private func rows(_ facts: Facts, _ group: CheckGroup) -> [Finding] {
        DoctorReport(facts).findings.filter { $0.group == group }
    }

    @Test("every card computes and sees the picture, and neighbors have the sum of both")
    func sound() async throws {
        let facts = try await facts(ProcessorProbe(), picture: true)
        let tests = rows(facts, .selfTest)
        #expect(tests.map(\.subject) == ["card 0", "card 1", "card 0", "card 1"])
        #expect(tests.allSatisfy { $0.verdict == .ok }, "\(tests)")
        let sum = try #require(facts.gpu?.sums?.first)
        #expect(sum.cards == [0, 1] && sum.problem == nil && sum.transport == "direct")
        #expect(sum.runs.map(\.byteCount) == [8 << 10, 16 << 20])
        #expect(sum.runs.allSatisfy { $0.isRight && $0.seconds > 0 })
        #expect(rows(facts, .collective).map(\.verdict) == [.ok])
    }

    @Test("a sum that misses the other card's numbers is wrong")
    func wrongSum() async throws {
        // The second device takes its own numbers for the sum.
        let probe = ProcessorProbe(starting: { uuids in
            let devices = try uuids.indices.map { try CPUDevice(index: $0, budgetByteCount: 256 << 20) }
            return ReadyCards([devices[0]] + devices.dropFirst().map(DeafDevice.init), dtype: .bfloat16)
        })
        let row = try #require(rows(try await facts(probe), .collective).first)
        #expect(row.verdict == .fail && row.subject == "0+1" && row.found.contains("wrong"))
    }

    @Test("a card that others use is not tested, which is a note; no sum is asked of it")
    func unavailable() async throws {
        let probe = ProcessorProbe(starting: { _ in throw CardUnavailable("300 MiB are needed, 20 MiB are free") })
        let facts = try await facts(probe)
        let tests = rows(facts, .selfTest)
        #expect(tests.map(\.verdict) == [.note, .note])
        #expect(tests[0].found == "not tested: 300 MiB are needed, 20 MiB are free")
        #expect(facts.gpu?.sums?.isEmpty == true)
    }

    @Test("a card that does not start is a failure with its reason")
    func defective() async throws {
        let facts = try await facts(ProcessorProbe(starting: { _ in throw Defect() }))
        let tests = rows(facts, .selfTest)
        #expect(tests.map(\.subject) == ["operations, card 0", "operations, card 1"])
        #expect(tests.allSatisfy { $0.verdict == .fail && $0.found == "\(Defect())" })
        #expect(rows(facts, .collective).map(\.verdict) == [.fail])
    }

    @Test("a sum much slower than copies is warned about, but not in a simulation")
    func slowSum() {
        var facts = Facts()
        var gpu = GPUFacts()
        gpu.peers = [PeerFacts(from: 0, to: 1), PeerFacts(from: 1, to: 0)]
        gpu.peers?[0].bytesPerSecond = 20e9
        gpu.peers?[1].bytesPerSecond = 16e9
        func verdict(_ milliseconds: Double, simulated: Bool? = nil) -> Verdict? {
            gpu.sums = [
                SumFacts(
                    cards: [0, 1], transport: "direct",
                    runs: [.init(byteCount: 16 << 20, seconds: milliseconds / 1000, isRight: true)])
            ]
            gpu.isSimulated = simulated
            facts.gpu = gpu
            return rows(facts, .collective).first?.verdict
        }
        // 16 MiB at 16 GB/s are 1.05 ms.
        #expect(verdict(3) == .ok)
        #expect(verdict(3.3) == .warn)
        #expect(verdict(3.3, simulated: true) == .ok)
    }
}
