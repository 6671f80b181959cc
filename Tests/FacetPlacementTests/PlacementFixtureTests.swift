import FacetPlacement
import Testing

/// The six points by which a planner is compared with the reference data.
@Suite("Placement fixtures")
struct PlacementFixtureTests {
    @Test("every machine file found is read")
    func discovery() {
        #expect(MachineFixture.fileCount >= 5)
        #expect(MachineFixture.all.count == MachineFixture.fileCount)
    }

    @Test("unit sizes are the reference's, byte for byte")
    func units() throws {
        let fixture = try UnitFixture.load()
        let model = try ModelDescription.fixture()
        #expect(model.unitNames.map(\.description) == fixture.units.map(\.unit))
        let precision = PrecisionChoice(.bfloat16)
        for (name, entry) in zip(model.unitNames, fixture.units) {
            #expect(model.byteCount(name.kind, precision) == entry.bytesBf16, "\(name)")
            #expect(model.units[name.kind].linearElements == entry.linearParams, "\(name)")
        }
        #expect(model.byteCount(precision) == fixture.totalBytesBf16)
        #expect(model.decoder.cacheByteCount(.bfloat16) == fixture.kvBytesPerTokenPerLayerBf16)
    }

    @Test("every unit is placed once and nothing is over budget", arguments: MachineFixture.all)
    func plansAreSound(_ fixture: MachineFixture) throws {
        for scenario in fixture.scenarios {
            let request = try fixture.request(scenario, .balanced)
            guard let plan = try? Planner.plan(request) else {
                #expect(fixture.bestFraction(scenario) > 1, "\(scenario.id) fits but was refused")
                continue
            }
            try expectSound(plan)
        }
    }

    @Test("the fullest card is at most 1e-6 above the stated optimum", arguments: MachineFixture.all)
    func fraction(_ fixture: MachineFixture) throws {
        for scenario in fixture.scenarios {
            let best = fixture.bestFraction(scenario)
            let (plan, refusal) = outcome(try fixture.request(scenario, .balanced))
            if let plan {
                #expect(plan.value <= best + 1e-6, "\(scenario.id): \(plan.value) against \(best)")
                #expect(plan.isProvedBest)
            } else {
                let refusal = try #require(refusal)
                #expect(best > 1, "\(scenario.id) fits but was refused")
                #expect(refusal.deficitPerDevice > 0)
            }
        }
    }

    @Test("the slowest decode stage is within a layer of the stated optimum", arguments: MachineFixture.all)
    func decodeBalance(_ fixture: MachineFixture) throws {
        let layer = Double(try ModelDescription.fixture().byteCount(.decoderLayer, PrecisionChoice(.bfloat16)))
        for stated in fixture.exactTwoChain where stated.objective == "decode" {
            let scenario = try #require(fixture.scenarios.first { $0.id == stated.scenario })
            let plan = try? Planner.plan(try fixture.request(scenario, .decode))
            guard stated.feasible, let value = stated.value else { continue }
            let found = try #require(plan, "\(scenario.id) fits but was refused")
            #expect(decodeBytes(found).max() ?? 0 <= value + layer, "\(scenario.id)")
        }
    }

    @Test("no library's placement that fits is better", arguments: MachineFixture.all)
    func libraries(_ fixture: MachineFixture) throws {
        for scenario in fixture.scenarios {
            let plan = try? Planner.plan(try fixture.request(scenario, .balanced))
            let decode = try? Planner.plan(try fixture.request(scenario, .decode))
            for library in fixture.cases where library.offloadedBytes == 0 {
                guard let predicted = library.predicted.first(where: { $0.scenario == scenario.id }), predicted.fits
                else { continue }
                let theirs = predicted.devices.values.map { Double($0.need) / Double($0.total) }.max() ?? 0
                let name = "\(scenario.id), \(library.solver) \(library.policy)"
                #expect(try #require(plan, "\(name)").value <= theirs + 1e-9, "\(name)")
                let theirDecode = Double(library.decodeWeightBytes.values.max() ?? 0)
                // A library may cut inside a layer, a plan may not; half a megabyte is what a mask's tables weigh.
                if library.blocksSplitAcrossDevices.isEmpty {
                    #expect(decodeBytes(try #require(decode, "\(name)")).max() ?? 0 <= theirDecode + 1e6, "\(name)")
                }
            }
        }
    }

    @Test("the order of the cards changes nothing", arguments: MachineFixture.all)
    func permutation(_ fixture: MachineFixture) throws {
        let count = fixture.machine.gpus.count
        for scenario in fixture.scenarios {
            let value = try? Planner.plan(try fixture.request(scenario, .balanced)).value
            for shift in 1..<max(2, count) {
                for reversed in [false, true] {
                    var order = (0..<count).map { ($0 + shift) % count }
                    if reversed { order.reverse() }
                    let other = try? Planner.plan(try fixture.request(scenario, .balanced, cards: order)).value
                    #expect(value == other, "\(scenario.id), \(order)")
                }
            }
        }
    }
}

/// Bytes that each device reads in a decode step.
func decodeBytes(_ plan: Plan) -> [Double] {
    var bytes = [Double](repeating: 0, count: plan.devices.count)
    let model = plan.request.model
    for name in UnitName.decoderChain(layerCount: model.decoderLayerCount) where name != .tokenEmbedding {
        bytes[plan.placement[name].device] += Double(model.byteCount(name.kind, plan.request.precision))
    }
    return bytes
}

/// What is true of every plan: both chains are whole, each device has one run of each, and nothing is over budget.
func expectSound(_ plan: Plan, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let (placement, model) = (plan.placement, plan.request.model)
    #expect(placement.vision.count == model.visionLayerCount + 2, sourceLocation: sourceLocation)
    #expect(placement.decoder.count == model.decoderLayerCount + 3, sourceLocation: sourceLocation)
    for device in plan.devices {
        #expect(device.headroom >= 0 || !device.isUsed, sourceLocation: sourceLocation)
        for run in [device.vision, device.decoder] {
            guard let first = run.first, let last = run.last else { continue }
            #expect(
                last - first + 1 == run.count, "device \(device.index) has two runs", sourceLocation: sourceLocation)
        }
    }
    let units = plan.devices.reduce(0) { $0 + $1.vision.count + $1.decoder.count }
    #expect(units == model.unitNames.count, sourceLocation: sourceLocation)
}
