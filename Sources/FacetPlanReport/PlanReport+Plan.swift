public import FacetPlacement

extension PlanReport {
    /// Names beside a plan's numbers.
    public struct Labels: Sendable {
        /// The model's name.
        public var model: String
        /// The devices' names, in their order.
        public var devices: [String]
        /// How the devices were to be filled.
        public var policy: String
        /// The model's modules, for the device map.
        public var modules: ModuleNames

        /// Names things.
        public init(model: String, devices: [String], policy: String, modules: ModuleNames) {
            self.model = model
            self.devices = devices
            self.policy = policy
            self.modules = modules
        }
    }

    /// Reports a plan.
    ///
    /// - Precondition: the labels name as many devices as the plan's machine has.
    public init(_ plan: Plan, _ labels: Labels) {
        precondition(labels.devices.count == plan.devices.count, "every device has a name")
        let request = plan.request
        let work = request.workload
        let map = DeviceMap(plan.placement, labels.modules, devices: labels.devices)
        self.init(
            model: labels.model, precision: request.precision.description,
            workload: WorkloadReport(
                sequences: work.sequences, imagesPerSequence: work.imagesPerSequence, textTokens: work.textTokens,
                newTokens: work.newTokens, capacityTokens: work.capacityPerSequence(request.model),
                chunkTokens: work.chunkRows(request.model), attention: work.attention.rawValue),
            objective: request.objective.rawValue, policy: labels.policy, machine: request.machine.name,
            devices: plan.devices.map { DeviceReport($0, plan, name: labels.devices[$0.index]) },
            hops: HopReport.hops(plan), prediction: PredictionReport(plan), bound: BoundReport(plan),
            notes: PrecisionNotes.notes(plan, labels.devices),
            explanations: ExplanationReport.explanations(plan, labels),
            deviceMap: Dictionary(map.entries.map { ($0.key, $0.place.description) }) { first, _ in first })
    }
}

extension DeviceReport {
    /// Reports a device of a plan; what others hold counts as beyond the budget.
    fileprivate init(_ device: DevicePlan, _ plan: Plan, name: String) {
        let profile = plan.request.machine.devices[device.index]
        let terms = device.terms
        let vision = Places(plan.placement.vision, on: device.index)
        let decoder = Places(plan.placement.decoder, on: device.index)
        let visionChain = UnitName.visionChain(layerCount: plan.placement.visionLayerCount)
        let decoderChain = UnitName.decoderChain(layerCount: plan.placement.decoderLayerCount)
        let visionWeights = vision.residentBytes(visionChain, plan.request)
        let isUsed = !vision.all.isEmpty || !decoder.all.isEmpty
        self.init(
            name: name, card: profile.name, totalByteCount: profile.totalBytes,
            budgetByteCount: max(0, device.budget - terms.others),
            terms: isUsed
                ? [
                    TermReport(.visionWeights, visionWeights),
                    TermReport(.decoderWeights, terms.weights - visionWeights), TermReport(.cache, terms.cache),
                    TermReport(.tables, terms.tables), TermReport(.activations, terms.activations),
                    TermReport(.logits, terms.logits), TermReport(.staging, terms.staging),
                    TermReport(.context, terms.context), TermReport(.margin, terms.margin),
                ] : [],
            vision: RunReport(vision.all, of: visionChain, isResident: vision.isResident),
            decoder: RunReport(decoder.all, of: decoderChain, isResident: decoder.isResident),
            stepSeconds: plan.prediction.decodeStages[device.index], isProcessor: profile.kind == .cpu)
    }

    /// The places of one chain that a device computes.
    private struct Places {
        let all: [Int]
        private let resident: Set<Int>

        init(_ chain: [UnitPlacement], on device: Int) {
            all = chain.indices.filter { chain[$0].device == device }
            resident = Set(all.filter { chain[$0].residency == .resident })
        }

        func isResident(_ place: Int) -> Bool { resident.contains(place) }

        func residentBytes(_ chain: [UnitName], _ request: PlanRequest) -> Int {
            resident.reduce(0) { $0 + request.model.byteCount(chain[$1].kind, request.precision) }
        }
    }
}

extension HopReport {
    /// The hops of a plan, in the order of execution.
    fileprivate static func hops(_ plan: Plan) -> [HopReport] {
        let machine = plan.request.machine
        let cost = CostModel(plan.request.inputs(plan.streaming), machine)
        let (vision, decoder) = (plan.placement.vision, plan.placement.decoder)
        func hop(_ kind: Kind, _ from: Int, _ to: Int, _ unit: UnitName, _ byteCount: Int) -> HopReport {
            HopReport(
                kind: kind, source: from, target: to, unit: unit.description, byteCount: byteCount,
                seconds: machine.link(from: from, to: to).seconds(byteCount))
        }
        func hops(_ kind: Kind, _ chain: [UnitPlacement], _ names: [UnitName], _ byteCount: Int) -> [HopReport] {
            chain.indices.dropFirst().compactMap { place in
                let (from, to) = (chain[place - 1].device, chain[place].device)
                return from == to ? nil : hop(kind, from, to, names[place], byteCount)
            }
        }
        var result: [HopReport] = []
        if plan.request.workload.imagesPerSequence > 0 {
            let names = UnitName.visionChain(layerCount: plan.placement.visionLayerCount)
            result += hops(.vision, vision, names, cost.visionMessage)
            if let last = vision.last, let first = decoder.first, last.device != first.device {
                result.append(hop(.splice, last.device, first.device, .tokenEmbedding, cost.featureMessage))
            }
        }
        let names = UnitName.decoderChain(layerCount: plan.placement.decoderLayerCount)
        return result + hops(.decoder, decoder, names, cost.decoderMessage(rows: plan.request.workload.sequences))
    }
}

extension PredictionReport {
    fileprivate init(_ plan: Plan) {
        let prediction = plan.prediction
        let used = plan.devices.filter(\.isUsed).map { plan.request.machine.devices[$0.index].rates.source }
        self.init(
            firstTokenSeconds: prediction.timeToFirstToken,
            stepSeconds: prediction.decodeStages.reduce(prediction.decodeHops, +),
            tokensPerSecond: prediction.tokensPerSecond(
                sequences: plan.request.workload.sequences, microBatches: 1),
            rates: used.allSatisfy { $0 == .measured } ? "measured" : "nominal")
    }
}

extension BoundReport {
    fileprivate init(_ plan: Plan) {
        let (quantity, unit): (String, String) =
            switch plan.request.objective {
            case .balanced: ("Fullest device, as a share of its memory", "")
            case .latency: ("One request", "s")
            case .throughput: ("Busiest device, per round of requests", "s")
            case .decode: ("Slowest decode stage", "s")
            case .context: ("Rows of the cache", "rows")
            case .fewest: ("Devices", "devices")
            }
        self.init(quantity: quantity, value: plan.value, bound: plan.bound?.searched, unit: unit)
    }
}

/// Cards that do not compute in the precision of what they hold.
private enum PrecisionNotes {
    static func notes(_ plan: Plan, _ names: [String]) -> [String] {
        plan.devices.compactMap { device in
            let card = plan.request.machine.devices[device.index].name
            guard let known = KnownCard.named(card) else { return nil }
            let held = [
                (device.vision.isEmpty, plan.request.precision.vision),
                (device.decoder.isEmpty, plan.request.precision.decoder),
            ].filter { !$0.0 }.map(\.1)
            guard let missing = held.first(where: { !known.computes(in: $0) }) else { return nil }
            let remedy = missing == .bfloat16 ? "--dtype float16 suits it" : "weights are converted when they are used"
            return "\(names[device.index]) (\(card)) does not compute in \(missing); \(remedy)"
        }
    }
}

extension OptionReport {
    /// Reports an entry of the planner's table.
    public init(_ entry: ParetoEntry) {
        let layout =
            switch entry.layout {
            case .layers: entry.devices.count == 1 ? "one device" : "layers over \(entry.devices.count)"
            case .tensorParallel(let degree): "tensor parallel over \(degree)"
            case .replicas(let count): "\(count) replicas"
            }
        self.init(
            name: layout, precision: "\(entry.precision)", firstTokenSeconds: entry.timeToFirstToken,
            tokenSeconds: entry.secondsPerToken, tokensPerSecond: entry.tokensPerSecond,
            sequenceCapacity: entry.sequenceCapacity,
            isExecutable: entry.isExecutable && !entry.precision.vision.isQuantized
                && !entry.precision.decoder.isQuantized)
    }
}
