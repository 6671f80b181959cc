import FacetCheckpoint
import FacetPlacement
import FacetTensor

/// Loads every unit's weights onto the device that a placement gives it, on a thread for each device.
///
/// Each thread reads the mapped files and feeds its device, so that devices load at the same time and none waits for
/// another's link. Meanwhile the calling thread waits for the units in the order of the plan and lets go of the
/// mapping's pages behind each, so that the host holds little besides what the devices own.
struct PlacedWeights {
    /// The bytes of the units that have been loaded so far; may end loading by throwing.
    typealias Progress = (_ finishedByteCount: Int) throws(ModelError) -> Void

    /// What brings streamed units to each device; nil where all units are resident.
    let streamers: [UnitStreamer?]

    private let plan: LoadingPlan
    private let configuration: GLM4VConfiguration
    private let devices: [any Backend]

    init(
        _ source: any WeightSource, _ inventory: ModelInventory, _ configuration: GLM4VConfiguration,
        devices: [any Backend], placement: Placement, packs: Bool
    ) throws(ModelError) {
        let plan = LoadingPlan(source, inventory, configuration, placement, packs: packs)
        self.plan = plan
        self.configuration = configuration
        self.devices = devices
        var streamers: [UnitStreamer?] = []
        for (index, backend) in devices.enumerated() {
            let units = UnitName.allUnits(of: configuration).filter {
                placement[$0].device == index && placement[$0].residency != .resident
            }
            let byteCount = units.compactMap { plan.packings[$0]?.byteCount }.max()
            streamers.append(
                try mappingTensorError { () throws(TensorError) in
                    guard let byteCount else { return nil }
                    return try UnitStreamer(units, byteCount: byteCount, device: index, backend: backend)
                })
        }
        self.streamers = streamers
    }

    /// Loads all units and waits until every device has them.
    ///
    /// - Throws: what went wrong first in the order of the plan, and what `progress` throws. No thread works on then.
    func load(_ progress: Progress) throws(ModelError) -> Network {
        let ledger = LoadingLedger()
        let threads = try mappingTensorError { () throws(TensorError) in try startThreads() }
        let ends = threads.map { index, thread in
            let loader = DeviceLoader(plan, device: index, devices[index], streamers[index], ledger)
            thread.enqueue { [configuration] in loader.load(configuration) }
            // It passes once the thread has let go of the loader, and so of its device.
            let end = thread.record()
            thread.stop()
            return end
        }
        // The work itself throws nothing: its errors are in the ledger.
        defer { for end in ends { try? end.synchronize() } }
        do throws(ModelError) { try wait(ledger, progress) } catch {
            ledger.cancel()
            throw error
        }
        for end in ends { try? end.synchronize() }
        return Network(merging: ledger.finished)
    }

    /// A thread for each device that has units: all of them or none.
    private func startThreads() throws(TensorError) -> [(device: Int, thread: WorkQueue)] {
        var threads: [(device: Int, thread: WorkQueue)] = []
        do throws(TensorError) {
            for index in plan.devices { threads.append((index, try WorkQueue(device: devices[index].device))) }
            return threads
        } catch {
            for (_, thread) in threads { thread.stop() }
            throw error
        }
    }

    private func wait(_ ledger: LoadingLedger, _ progress: Progress) throws(ModelError) {
        var finished = 0
        for step in plan.steps {
            let unit = try ledger.wait(for: step)
            try mappingTensorError { () throws(TensorError) in try unit.event.synchronize() }
            if unit.keepsPages { plan.source.advise(.dontNeed, tensors: plan.names(of: step.unit)) }
            finished += step.byteCount
            try progress(finished)
        }
    }
}
