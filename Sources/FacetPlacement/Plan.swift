/// A placement with the numbers behind it.
public struct Plan: Sendable {
    /// The request that it answers; its workload is the enlarged one when the objective was `context`.
    public var request: PlanRequest
    /// Where every unit goes.
    public var placement: Placement
    /// One entry per device of the machine, in their order, unused ones included.
    public var devices: [DevicePlan]
    /// Predicted times.
    public var prediction: Prediction
    /// The objective's value: a fraction, seconds, tokens or devices.
    public var value: Double
    /// What the value cannot be better than; nil for a placement that was given, not searched for.
    public var bound: PlanBound?
    /// Kinds of units that are streamed, some of them at least, and from where.
    public var streaming: Streaming

    /// Bytes of streamed weights.
    public var streamedBytes: Int { devices.reduce(0) { $0 + $1.streamedBytes } }

    /// The devices that hold units.
    public var usedDevices: [Int] { devices.filter(\.isUsed).map(\.index) }

    /// Devices' changes along both chains, and the hop of pictures' features to the embedding.
    public var hopCount: Int {
        let orders = [placement.vision, placement.decoder]
        let inside = orders.reduce(0) { sum, chain in
            sum + zip(chain, chain.dropFirst()).count { $0.device != $1.device }
        }
        return inside + (placement.vision.last?.device != placement.decoder.first?.device ? 1 : 0)
    }

    /// The smallest headroom of a used device.
    public var smallestHeadroom: Int { devices.filter(\.isUsed).map(\.headroom).min() ?? 0 }
}

/// What one device holds.
public struct DevicePlan: Sendable, Hashable {
    /// Its number.
    public var index: Int
    /// Its units of the vision chain, as positions in that chain, ascending.
    public var vision: [Int]
    /// Its units of the decoder chain.
    public var decoder: [Int]
    /// Streamed units among them.
    public var streamedUnits: Int
    /// Bytes of their weights.
    public var streamedBytes: Int
    /// What it needs.
    public var terms: MemoryTerms
    /// What it may use.
    public var budget: Int

    /// Whether it holds units.
    public var isUsed: Bool { !vision.isEmpty || !decoder.isEmpty }

    /// Bytes that stay free within the budget.
    public var headroom: Int { budget - terms.total }

    /// Needed bytes as a fraction of the budget.
    public var fraction: Double { budget == 0 ? 0 : Double(terms.total) / Double(budget) }
}

/// Predicted times of a plan, in seconds.
public struct Prediction: Sendable, Hashable {
    /// One prompt's pictures, encoded.
    public var vision: Double
    /// One prompt, read.
    public var prefill: Double
    /// All hops of one prompt.
    public var promptHops: Double
    /// One token of one sequence, hops included.
    public var secondsPerToken: Double
    /// One decode step of each device for all sequences of the workload in one batch.
    public var decodeStages: [Double]
    /// Hops of such a step.
    public var decodeHops: Double

    /// Names the times.
    public init(
        vision: Double, prefill: Double, promptHops: Double, secondsPerToken: Double, decodeStages: [Double],
        decodeHops: Double
    ) {
        self.vision = vision
        self.prefill = prefill
        self.promptHops = promptHops
        self.secondsPerToken = secondsPerToken
        self.decodeStages = decodeStages
        self.decodeHops = decodeHops
    }

    /// Seconds to the first token of one request on an idle machine.
    public var timeToFirstToken: Double { vision + prefill + promptHops }

    /// Tokens per second when `microBatches` batches of the workload's sequences are in flight.
    ///
    /// - Precondition: `microBatches` is positive.
    public func tokensPerSecond(sequences: Int, microBatches: Int) -> Double {
        precondition(microBatches > 0, "there is at least one batch")
        let alone = decodeStages.reduce(decodeHops, +)
        let busiest = (decodeStages.max() ?? 0) * Double(microBatches)
        let round = max(alone, busiest)
        return round > 0 ? Double(sequences * microBatches) / round : 0
    }
}

/// What certifies a plan.
public struct PlanBound: Sendable, Hashable {
    /// A value that no placement can beat, found without searching: everything spread as if it were liquid.
    public var fluid: Double
    /// The best value of any placement, to the search's resolution.
    ///
    /// For a plan that streams: with every unit of the streamed kinds streamed; layers that are made resident afterwards
    /// fill devices up and save time.
    public var searched: Double
    /// How finely values were told apart.
    public var resolution: Double
}

extension Plan {
    /// Whether the plan is proved best, to the resolution.
    public var isProvedBest: Bool {
        guard let bound else { return false }
        return request.objective == .context
            ? value >= bound.searched : value <= bound.searched + bound.resolution
    }
}
