/// Whether the devices can take the whole model within their limits.
///
/// Devices are taken one after the other. A state says which single units are taken and how many decoder layers; its
/// value is the largest number of vision layers that can have been taken beside them. More is never worse, so one number
/// per state is the whole frontier, and adding a device is a convolution of two frontiers. Unlike devices need no orders
/// (see `CardRole`), so the time is linear in the number of devices.
struct FrontierSearch {
    let visionLayers: Int
    let decoderLayers: Int

    /// Most vision layers by single units and decoder layers, `[singles, decoderLayers + 1]`; -1 where nothing leads.
    typealias Frontier = [Int32]

    /// Whether a placement exists.
    ///
    /// - Parameters:
    ///   - reaches: what each device can do.
    ///   - required: devices that must take something.
    func isFeasible(_ reaches: [[Reach]], required: [Bool]) -> Bool {
        var frontier = start
        for (options, isRequired) in zip(reaches, required) {
            frontier = added(options, isRequired: isRequired, to: frontier)
        }
        return frontier[CardRole.allSingles * (decoderLayers + 1) + decoderLayers] >= visionLayers
    }

    /// Before any device.
    var start: Frontier {
        var frontier = Frontier(repeating: -1, count: (CardRole.allSingles + 1) * (decoderLayers + 1))
        frontier[0] = 0
        return frontier
    }

    /// After one more device.
    func added(_ options: [Reach], isRequired: Bool, to frontier: Frontier) -> Frontier {
        var next = isRequired ? Frontier(repeating: -1, count: frontier.count) : frontier
        for option in options { add(option, to: frontier, into: &next) }
        return next
    }

    private func add(_ option: Reach, to frontier: Frontier, into next: inout Frontier) {
        let width = decoderLayers + 1
        let range = option.decoderLayers
        let most = Int32(visionLayers)
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
                                let sum = reached &+ room[layers]
                                let value = sum < most ? sum : most
                                new[base + layers] = value > new[base + layers] ? value : new[base + layers]
                            }
                        }
                    }
                }
            }
        }
    }
}
