/// Puts the runs of a solution into the order of the chains.
struct RunOrder {
    let machine: Machine
    let entries: [SearchSolution.Entry]
    let cost: CostModel

    /// The placement, every unit resident.
    func placement() -> Placement {
        Placement(
            vision: chain(isVision: true).flatMap { run in
                Array(repeating: UnitPlacement(device: run.device), count: run.count)
            },
            decoder: chain(isVision: false).flatMap { run in
                Array(repeating: UnitPlacement(device: run.device), count: run.count)
            })
    }

    private struct Run {
        let device: Int
        let count: Int
        /// 0 for the run that begins the chain, 1 for layers alone, more for those behind them.
        let rank: Int
    }

    private func chain(isVision: Bool) -> [Run] {
        let runs = entries.compactMap { run($0, isVision: isVision) }.sorted {
            ($0.rank, $0.device) < ($1.rank, $1.device)
        }
        let middle = runs.filter { $0.rank == 1 }
        guard !machine.links.isEmpty, (2...6).contains(middle.count) else { return runs }
        let (first, last) = (runs.filter { $0.rank == 0 }, runs.filter { $0.rank > 1 })
        let orders = permutations(middle).map { first + $0 + last }
        return orders.min { seconds($0, isVision) < seconds($1, isVision) } ?? runs
    }

    private func run(_ entry: SearchSolution.Entry, isVision: Bool) -> Run? {
        let kinds = entry.choice.role.kinds
        let singles = UnitKind.allCases.filter { $0.isVision == isVision && !$0.isLayer && kinds.contains($0) }
        let count = singles.count + (isVision ? entry.choice.visionLayers : entry.choice.decoderLayers)
        guard count > 0 else { return nil }
        let rank: Int
        if kinds.contains(isVision ? .patchEmbedding : .tokenEmbedding) {
            rank = 0
        } else if kinds.contains(isVision ? .projector : .outputLayer) {
            rank = 3
        } else {
            rank = !isVision && kinds.contains(.finalNorm) ? 2 : 1
        }
        return Run(device: entry.device, count: count, rank: rank)
    }

    private func seconds(_ runs: [Run], _ isVision: Bool) -> Double {
        let one = RequestPhases(cost.inputs, sequences: 1)
        return zip(runs, runs.dropFirst()).reduce(0) { sum, pair in
            let link = machine.link(from: pair.0.device, to: pair.1.device)
            if isVision { return sum + link.seconds(cost.visionMessage) }
            return sum + cost.decoderHopSeconds(link, one.prefill)
                + Double(one.steps) * cost.decoderHopSeconds(link, one.decode)
        }
    }

    private func permutations(_ runs: [Run]) -> [[Run]] {
        if runs.count < 2 { return [runs] }
        return runs.indices.flatMap { index in
            var rest = runs
            let first = rest.remove(at: index)
            return permutations(rest).map { [first] + $0 }
        }
    }
}
