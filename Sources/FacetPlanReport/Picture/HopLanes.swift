/// Hops as lanes below the devices: equal ones drawn once, and no two that overlap on one lane.
struct HopLanes {
    /// One arrow.
    struct Arrow {
        let hop: HopReport
        /// How many hops it stands for.
        let count: Int
        /// 0 is the lane nearest the devices.
        let lane: Int
    }

    /// The arrows in the order of execution.
    let arrows: [Arrow]

    /// How many lanes there are.
    var laneCount: Int { (arrows.map(\.lane).max() ?? -1) + 1 }

    /// Arranges hops.
    init(_ hops: [HopReport]) {
        var kept: [HopReport] = []
        var counts: [Int] = []
        for hop in hops {
            if let same = kept.firstIndex(where: {
                $0.kind == hop.kind && $0.source == hop.source && $0.target == hop.target
            }) {
                counts[same] += 1
            } else {
                kept.append(hop)
                counts.append(1)
            }
        }
        var occupied: [[ClosedRange<Int>]] = []
        var arrows: [Arrow] = []
        for (hop, count) in zip(kept, counts) {
            let span = min(hop.source, hop.target)...max(hop.source, hop.target)
            let free = occupied.firstIndex { lane in lane.allSatisfy { !$0.overlaps(span) } }
            let lane = free ?? occupied.count
            if free == nil { occupied.append([]) }
            occupied[lane].append(span)
            arrows.append(Arrow(hop: hop, count: count, lane: lane))
        }
        self.arrows = arrows
    }
}
