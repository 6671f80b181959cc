import FacetCheckpoint
import FacetModel
import FacetPlacement
import FacetTensor
import FacetTestSupport
import Foundation
import Testing

/// The tiny checkpoint over several devices: every division gives, bit for bit, what one device gives.
@Suite("Running a placement")
struct PlacementRunTests {
    /// A device that every division of the tiny checkpoint fits.
    private static let budget = 64 << 20

    private static func devices(_ count: Int) throws -> [CPUDevice] {
        try (0..<count).map { try CPUDevice(index: $0, budgetByteCount: budget) }
    }

    private static func expectNothingIsLeft(_ devices: [CPUDevice]) {
        for device in devices { #expect(device.memoryUse?.usedByteCount == 0, "\(device.device)") }
    }

    @Test(
        "every single cut of both chains, on two devices, gives the logits of one device",
        arguments: [DType.float32, .bfloat16])
    func everyCut(dtype: DType) throws {
        let scenario = try Scenario()
        let expected = try scenario.logits(dtype)
        let devices = try Self.devices(2)
        var count = 0
        for visionCut in 0...scenario.visionUnitCount {
            for decoderCut in 0...scenario.decoderUnitCount {
                let placement = Placement(
                    vision: (0..<scenario.visionUnitCount).map { UnitPlacement(device: $0 < visionCut ? 0 : 1) },
                    decoder: (0..<scenario.decoderUnitCount).map { UnitPlacement(device: $0 < decoderCut ? 0 : 1) })
                let logits = try scenario.logits(dtype, devices, placement)
                #expect(logits == expected, "vision cut before \(visionCut), decoder before \(decoderCut)")
                Self.expectNothingIsLeft(devices)
                count += 1
            }
        }
        #expect(count == 7 * 8)
    }

    @Test("random placements, units streamed among them, give the logits of one device", arguments: [3, 4, 8])
    func randomPlacements(deviceCount: Int) throws {
        let scenario = try Scenario()
        let expected = try scenario.logits(.bfloat16)
        let devices = try Self.devices(deviceCount)
        var random = Randomness(seed: UInt64(deviceCount))
        for round in 0..<70 {
            let placement = scenario.randomPlacement(deviceCount, streamsVisionOnly: round % 2 == 0, &random)
            #expect(try scenario.logits(.bfloat16, devices, placement) == expected, "\(placement)")
            Self.expectNothingIsLeft(devices)
        }
    }

    @Test("quantized weights give the logits of one device on random placements, and take the bytes that were promised")
    func quantizedPlacements() throws {
        let choice = PrecisionChoice(vision: .int8, decoder: .int4(group: 64), output: .float8)
        let scenario = try Scenario(quantization: choice)
        let expected = try scenario.logits(.bfloat16)
        let devices = try Self.devices(3)
        var random = Randomness(seed: 17)
        for round in 0..<20 {
            let placement = scenario.randomPlacement(3, streamsVisionOnly: round % 2 == 0, &random)
            let model = try scenario.model(.bfloat16, devices, placement)
            for demand in try scenario.demands(placement) {
                #expect(devices[demand.device].memoryUse?.usedByteCount == demand.byteCount, "\(placement)")
            }
            #expect(try scenario.logits(model) == expected, "\(placement)")
        }
    }

    @Test("devices of several kinds work together: in place, with a budget, without one")
    func mixedDevices() throws {
        let scenario = try Scenario()
        let expected = try scenario.logits(.float32)
        let devices: [any Backend] = [
            try CPUDevice(index: 0, budgetByteCount: Self.budget),
            try CPUBackend(device: DeviceID(.cpu, 1), threadCount: 2), try CPUDevice(index: 2, threadCount: 2),
        ]
        var random = Randomness(seed: 99)
        for _ in 0..<20 {
            let placement = scenario.randomPlacement(3, streamsVisionOnly: false, &random)
            #expect(try scenario.logits(.float32, devices, placement) == expected, "\(placement)")
        }
    }

    @Test("each device holds exactly the bytes that were promised", arguments: 0..<12)
    func promisedBytes(seed: UInt64) throws {
        let scenario = try Scenario()
        let devices = try Self.devices(3)
        var random = Randomness(seed: seed)
        let placement = scenario.randomPlacement(3, streamsVisionOnly: false, &random)
        let model = try scenario.model(.bfloat16, devices, placement)
        for demand in try scenario.demands(placement) {
            let use = try #require(devices[demand.device].memoryUse)
            #expect(use.usedByteCount == demand.byteCount && use.peakByteCount == demand.byteCount)
            #expect(demand.terms.allSatisfy { $0.byteCount > 0 })
        }
        _ = try scenario.logits(model)
        for demand in try scenario.demands(placement) {
            #expect(devices[demand.device].memoryUse?.peakByteCount == demand.byteCount, "a step took memory")
        }
    }

    @Test("a budget of exactly the demand is enough; one byte less is refused and leaves nothing behind")
    func exactBudget() throws {
        let scenario = try Scenario()
        var placement = Placement.single(scenario.configuration)
        for index in 3..<placement.decoder.count { placement.decoder[index].device = 1 }
        placement.vision[2].residency = .host
        placement.vision[3].residency = .disk
        let demands = try scenario.demands(placement)
        let fitting = try demands.map { try CPUDevice(index: $0.device, budgetByteCount: $0.byteCount) }
        #expect(try scenario.logits(.bfloat16, fitting, placement) == scenario.logits(.bfloat16))
        for short in demands.indices {
            let devices = try demands.map {
                try CPUDevice(index: $0.device, budgetByteCount: $0.byteCount - ($0.device == short ? 1 : 0))
            }
            let error = #expect(throws: ModelError.self) { try scenario.model(.bfloat16, devices, placement) }
            guard case .tensor(.outOfMemory(let label, _, let device)) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(device == devices[short].device && !label.isEmpty)
            Self.expectNothingIsLeft(devices)
            let refusal = #expect(throws: ModelError.self) { try demands[short].check(devices[short]) }
            guard case .deviceTooSmall(_, let needed, let available, _) = refusal else {
                Issue.record("\(String(describing: refusal))")
                continue
            }
            #expect(needed - available == 1)
        }
    }

    @Test("memory that ends among the weights names the tensor and leaves nothing behind")
    func weightsDoNotFit() throws {
        let scenario = try Scenario()
        let devices = [try CPUDevice(index: 0, budgetByteCount: 1 << 20)]
        let error = #expect(throws: ModelError.self) {
            try scenario.model(.bfloat16, devices, .single(scenario.configuration))
        }
        guard case .tensor(.outOfMemory(let label, _, _)) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(label.hasPrefix("transformer."))
        Self.expectNothingIsLeft(devices)
    }

    @Test("loading can be given up after any unit and leaves nothing behind", arguments: [0, 3, 9])
    func cancelledLoading(after count: Int) throws {
        let scenario = try Scenario()
        let devices = try Self.devices(2)
        var placement = Placement.single(scenario.configuration)
        for index in placement.decoder.indices { placement.decoder[index].device = index % 2 }
        var reports: [Int] = []
        #expect(throws: ModelError.loadingCancelled) {
            try GLM4V(
                source: scenario.source, configuration: scenario.configuration, dtype: .bfloat16, devices: devices,
                placement: placement
            ) { (finished) throws(ModelError) in
                if reports.count == count { throw .loadingCancelled }
                reports.append(finished)
            }
        }
        #expect(reports.count == count && reports == reports.sorted())
        Self.expectNothingIsLeft(devices)
    }

    @Test("a model that is dropped as soon as it is loaded leaves nothing behind: no queue still holds its tables")
    func droppedModel() throws {
        let scenario = try Scenario()
        let devices = try Self.devices(2)
        var placement = Placement.single(scenario.configuration)
        for index in 4..<placement.decoder.count { placement.decoder[index].device = 1 }
        for _ in 0..<20 {
            _ = try GLM4V(
                source: scenario.source, configuration: scenario.configuration, dtype: .bfloat16, devices: devices,
                placement: placement)
            Self.expectNothingIsLeft(devices)
        }
    }

    @Test("a placement for another model, or on devices that are not there, is refused")
    func mismatch() throws {
        let scenario = try Scenario()
        let devices = try Self.devices(2)
        let other = Placement.single(visionLayers: 4, decoderLayers: 5)
        var missing = Placement.single(scenario.configuration)
        missing.vision[1].device = 2
        for placement in [other, missing] {
            let error = #expect(throws: ModelError.self) { try scenario.model(.bfloat16, devices, placement) }
            guard case .placementMismatch(let reason) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(reason.contains(placement == other ? "5" : "device 2"))
        }
    }

    @Test("an error in a device's queue is reported by the last device, and the model works again afterwards")
    func deviceError() throws {
        let scenario = try Scenario()
        let devices = try Self.devices(3)
        var placement = Placement.single(scenario.configuration)
        for index in placement.decoder.indices { placement.decoder[index].device = index / 3 }
        let model = try scenario.model(.bfloat16, devices, placement)
        let expected = try scenario.logits(model)
        let failure = TensorError.deviceFailed(device: devices[1].device, reason: "test")
        devices[1].raise(failure)
        #expect(throws: failure) { try scenario.logits(model) }
        model.model.recover(model.memory)
        model.features.release(ImageID(0))
        #expect(try scenario.logits(model) == expected)
    }

    @Test("streamed units are copied one ahead, and the times are known")
    func streamTimes() throws {
        let scenario = try Scenario()
        let devices = try Self.devices(1)
        var placement = Placement.single(scenario.configuration)
        for index in placement.decoder.indices { placement.decoder[index].residency = .disk }
        let model = try scenario.model(.bfloat16, devices, placement)
        _ = try scenario.logits(model)
        try devices[0].synchronize()
        let timing = try #require(model.model.streamTimings.first)
        #expect(timing.device == 0 && timing.copying > .zero && timing.waiting >= .zero)
        #expect(timing.hidden <= timing.copying && (0...1).contains(timing.hiddenShare))
        // Seven units a step, and at least the steps of four cases.
        #expect(timing.copyCount > 7 * 4)
    }
}
