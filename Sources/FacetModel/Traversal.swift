import FacetPlacement
import FacetTensor

/// Where one unit runs.
struct Place {
    /// Index of the device.
    let device: Int
    let backend: any Backend
    let workspace: Workspace
    /// The staging buffer that holds the unit's weights; 0 when they are resident.
    let slot: Int
}

/// Carries one pass from unit to unit, whatever device each is on.
///
/// Everything is enqueued at once. A device waits for another only where data goes from one to the other: the receiver
/// waits for the sender's queue and copies; the sender waits before it overwrites what was copied. All operations
/// of one pass stand before those of the next in every queue, so passes may follow each other before they have ended.
struct Traversal {
    let memory: ModelMemory
    let streamers: [UnitStreamer?]
    let advice: WeightStream?
    let probe: Probe?

    /// Goes to a unit: its weights are on the device when the operations that are enqueued next run.
    func enter(_ unit: UnitName) throws(TensorError) -> Place {
        advice?.enter(unit)
        let device = memory.placement[unit].device
        let slot = try streamers[device]?.enter(unit) ?? 0
        return Place(
            device: device, backend: memory.devices[device], workspace: memory.workspace(on: device), slot: slot)
    }

    /// Whether the weights of all of a device's units stay where they are.
    func isResident(_ device: Int) -> Bool { streamers[device] == nil }

    /// The end of the run of decoder layers from `first` on whose weights stay on that layer's device.
    func endOfRun(of first: Int, count: Int) -> Int {
        let places = memory.placement.decoder
        // The token embedding is the first unit of the chain.
        let place = places[first + 1]
        guard probe == nil, isResident(place.device), advice == nil else { return first + 1 }
        return (first..<count).first { places[$0 + 1].device != place.device } ?? count
    }

    /// The rows of `x`, in the first rows of a buffer of a place: the hop, unless they are there already.
    func bring(
        _ x: Tensor, to place: Place, _ buffer: KeyPath<WorkspaceLayout, ScratchBuffer>
    ) throws(TensorError) -> Tensor {
        if place.workspace.holds(x) { return x }
        let y = place.workspace.tensor(buffer, rows: x.rowCount)
        try place.workspace.reclaim()
        try hop(x, into: y, on: place.backend)
        return y
    }

    /// Copies what one device's workspace holds into a tensor on another device.
    func hop(_ x: Tensor, into y: Tensor, on receiver: any Backend) throws(TensorError) {
        let sender = memory.workspace(holding: x)
        try receiver.wait(for: sender.backend.record())
        try receiver.copy(x, into: y)
        sender.lend(until: try receiver.record())
    }
}
