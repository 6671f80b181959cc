import FacetEngine
import FacetModel
import FacetPlacement
import FacetTensor
import FacetTokenizer
import Foundation
import Synchronization
import Testing

/// The tiny checkpoint over logical devices, from the files to the tokens.
@Suite("Engine on several devices", .timeLimit(.minutes(5)))
struct DevicesTests {
    private func placement(_ deviceCount: Int) -> Placement {
        var placement = Placement.single(visionLayers: 4, decoderLayers: 4)
        for index in placement.vision.indices { placement.vision[index].device = index * deviceCount / 6 }
        for index in placement.decoder.indices { placement.decoder[index].device = index * deviceCount / 7 }
        return placement
    }

    private func options(_ configure: (inout EngineOptions) -> Void = { _ in }) -> EngineOptions {
        var options = EngineOptions()
        options.dtype = .float32
        options.contextTokens = 512
        configure(&options)
        return options
    }

    private func load(_ deviceCount: Int, _ configure: (inout EngineOptions) -> Void = { _ in }) throws -> LoadedModel {
        let devices = try (0..<deviceCount).map { try CPUDevice(index: $0, budgetByteCount: 64 << 20) }
        return try ModelLoader(ModelFiles(folder: TinyModel.folder.path), options: options(configure))
            .load(onto: devices, placement: placement(deviceCount))
    }

    private func answer(_ model: LoadedModel, _ name: String) async throws {
        let reference = try TinyModel.Case(name)
        let request = Request(
            try reference.prompt(model), sampling: SamplingParameters(maxTokens: reference.greedyTokenIDs.count))
        let answer = try await completion(of: model.engine.submit(request))
        #expect(answer.tokenIDs == reference.greedyTokenIDs, "\(name)")
    }

    @Test("requests that share a pipeline get the reference's tokens", arguments: [2, 3])
    func pipeline(deviceCount: Int) async throws {
        let model = try load(deviceCount) {
            $0.maxSequences = 4
            $0.maxRows = 16
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for name in ["text", "image", "multiturn-image", "text", "image", "multiturn-image", "text"] {
                group.addTask { try await answer(model, name) }
            }
            try await group.waitForAll()
        }
        let metrics = await model.engine.metrics()
        #expect(metrics.finishedCount == 7 && metrics.availablePageCount == metrics.pageCount)
    }

    @Test("after a profiling run the measured peak of each device is the predicted one")
    func profile() async throws {
        let model = try load(3) {
            $0.profilesMemory = true
            $0.maxSequences = 3
        }
        #expect(model.devices.count == 3)
        for report in model.devices {
            #expect(report.excess == 0 && report.use?.peakByteCount == report.predictedByteCount)
        }
        try await answer(model, "image")
        for report in await model.engine.deviceReports() { #expect(report.excess == 0, "a request took memory") }
    }

    @Test("a device that is too small is refused before a weight is read, with the missing bytes")
    func tooSmall() throws {
        let demands = try load(2).devices.map(\.predictedByteCount)
        let progress = Mutex<[LoadProgress.Phase]>([])
        let loader = ModelLoader(ModelFiles(folder: TinyModel.folder.path), options: options())
        let error = #expect(throws: EngineError.self) {
            let devices = try zip(0..., [demands[0], demands[1] - 10]).map {
                try CPUDevice(index: $0, budgetByteCount: $1)
            }
            _ = try loader.load(onto: devices, placement: placement(2)) { update in
                progress.withLock { $0.append(update.phase) }
            }
        }
        guard case .model(.deviceTooSmall(let device, let needed, let available, _)) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(device == DeviceID(.cpu, 1) && needed - available == 10)
        #expect(progress.withLock { $0 } == [.reading])
    }

    @Test("loading reports every byte, with a rate, and ends when its task is cancelled")
    func loading() async throws {
        let updates = Mutex<[LoadProgress]>([])
        let devices = try (0..<2).map { try CPUDevice(index: $0, budgetByteCount: 64 << 20) }
        let model = try ModelLoader(ModelFiles(folder: TinyModel.folder.path), options: options())
            .load(onto: devices, placement: placement(2)) { update in updates.withLock { $0.append(update) } }
        let binding = updates.withLock { $0.filter { $0.phase == .binding } }
        #expect(binding.count == 13 && binding.last?.finishedByteCount == binding.last?.totalByteCount)
        #expect(binding.last?.totalByteCount ?? 0 > model.weightByteCount * 9 / 10)
        #expect(binding.allSatisfy { $0.byteRate ?? 0 > 0 && $0.remaining ?? .zero >= .zero })
        let folder = TinyModel.folder.path
        let (options, placement) = (options(), placement(2))
        let task = Task { () -> EngineError? in
            withUnsafeCurrentTask { $0?.cancel() }
            let devices = try (0..<2).map { try CPUDevice(index: $0, budgetByteCount: 64 << 20) }
            do throws(EngineError) {
                _ = try ModelLoader(ModelFiles(folder: folder), options: options)
                    .load(onto: devices, placement: placement)
                return nil
            } catch { return error }
        }
        #expect(try await task.value == .model(.loadingCancelled))
    }

    @Test("a device that fails ends the requests in progress with its error; the next request is answered")
    func deviceFailure() async throws {
        let model = try load(2)
        try await answer(model, "text")
        let reference = try TinyModel.Case("text")
        let failing = FailureSwitch()
        let devices: [any Backend] = [
            try CPUDevice(index: 0, budgetByteCount: 64 << 20), try FailingDevice(index: 1, failing),
        ]
        let fragile = try ModelLoader(
            ModelFiles(folder: TinyModel.folder.path), options: options { $0.maxSequences = 2 }
        ).load(onto: devices, placement: placement(2))
        let request = Request(
            try reference.prompt(fragile), sampling: SamplingParameters(maxTokens: reference.greedyTokenIDs.count))
        failing.arm(afterProducts: 40)
        let first = fragile.engine.submit(request)
        let failure = EngineError.tensor(.deviceFailed(device: DeviceID(.cpu, 1), reason: "test"))
        await #expect(throws: failure) { try await completion(of: first) }
        try await answer(fragile, "text")
        try await answer(fragile, "image")
        let metrics = await fragile.engine.metrics()
        #expect(metrics.failedCount == 1 && metrics.finishedCount == 2 && metrics.runningCount == 0)
        #expect(metrics.availablePageCount == metrics.pageCount)
    }
}
