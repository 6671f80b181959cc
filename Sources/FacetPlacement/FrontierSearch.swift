/// Whether the devices can take the whole model within their limits.
///
/// Devices are taken one after the other. A state says which single units are taken and how many decoder layers; its
/// value is the largest number of vision layers that can have been taken beside them. More is never worse, so one number
/// per state is the whole frontier, and adding a device is a convolution of two frontiers. Unlike devices need no orders
/// (see `CardRole`), so the time is linear in the number of devices.
struct FrontierSearch {
    let visionLayers: Int
    let decoderLayers: Int

    /// Whether a placement exists.
    ///
    /// - Parameters:
    ///   - reaches: what each device can do.
    ///   - required: devices that must take something.
    func isFeasible(_ reaches: [[Reach]], required: [Bool]) -> Bool {
        let width = decoderLayers + 1
        var frontier = [Int](repeating: -1, count: (CardRole.allSingles + 1) * width)
        frontier[0] = 0
        for (index, options) in reaches.enumerated() {
            var next = required[index] ? [Int](repeating: -1, count: frontier.count) : frontier
            for option in options { add(option, to: frontier, into: &next) }
            frontier = next
        }
        return frontier[CardRole.allSingles * width + decoderLayers] >= visionLayers
    }

    private func add(_ option: Reach, to frontier: [Int], into next: inout [Int]) {
        let width = decoderLayers + 1
        let range = option.decoderLayers
        frontier.withUnsafeBufferPointer { old in
            next.withUnsafeMutableBufferPointer { new in
                option.visionLayers.withUnsafeBufferPointer { room in
                    for taken in 0...CardRole.allSingles where taken & option.role.singles == 0 {
                        let (from, to) = (taken * width, (taken | option.role.singles) * width)
                        for before in 0..<width where old[from + before] >= 0 {
                            let (base, reached) = (to + before, old[from + before])
                            let last = min(range.upperBound, decoderLayers - before)
                            if last < range.lowerBound { break }
                            for layers in range.lowerBound...last {
                                let value = min(visionLayers, reached + room[layers])
                                if value > new[base + layers] { new[base + layers] = value }
                            }
                        }
                    }
                }
            }
        }
    }
}
