extension Check {
    /// The model that was asked about.
    static let model: [Check] = [
        Check(.model, "files", files), Check(.model, "configuration", configuration),
        Check(.model, "tensors", tensors), Check(.model, "tokenizer", tokenizer),
        Check(.model, "file system", fileSystem), Check(.model, "free disk", freeDisk),
        Check(.model, "memory", modelMemory), Check(.model, "plan for the cards", cardPlan),
    ]

    private static func files(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let model = facts.model else { return [] }
        if let problem = model.filesProblem {
            return [
                check.fail(
                    problem, needed: "every file, whole",
                    remedy: "download the folder again; huggingface-cli download resumes where it stopped")
            ]
        }
        guard let count = model.fileCount, let bytes = model.weightBytes else { return [] }
        return [check.ok("\(FactText.count(count, "file")) with weights, \(FactText.bytes(bytes))")]
    }

    private static func configuration(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let model = facts.model else { return [] }
        if let problem = model.configurationProblem {
            return [
                check.fail(
                    problem, needed: "the config.json of a GLM-4V-9B", remedy: "use the folder as it was published")
            ]
        }
        guard let unknown = model.unknownFields else { return [] }
        guard !unknown.isEmpty else { return [check.ok("every field is known")] }
        return [
            check.warn(
                "\(FactText.count(unknown.count, "unknown field")): \(FactText.list(unknown))",
                needed: "fields of the published configuration",
                remedy: "a field that changes results would not be followed; compare with the published config.json")
        ]
    }

    private static func tensors(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let model = facts.model else { return [] }
        if let problem = model.tensorsProblem {
            return [
                check.fail(
                    problem, needed: "every tensor of the configuration, with its shape",
                    remedy: "facet inspect lists the differences; download the folder again")
            ]
        }
        guard let count = model.tensorCount, model.configurationProblem == nil else { return [] }
        let types = (model.bytesByDtype ?? [:]).sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
        return [check.ok("\(count), complete, \(types.joined(separator: ", "))")]
    }

    private static func tokenizer(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let model = facts.model else { return [] }
        if let problem = model.tokenizerProblem {
            return [
                check.fail(
                    problem, needed: "tokenizer.model and tokenizer_config.json",
                    remedy: "download these two files again")
            ]
        }
        return model.tokenCount.map { [check.ok("\($0) tokens")] } ?? []
    }

    private static func fileSystem(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let kind = facts.model?.fileSystem else { return [] }
        guard Self.networkFileSystems.contains(kind) else { return [check.ok(kind)] }
        return [
            check.warn(
                "\(kind), over a network", needed: "a local disk",
                remedy: "copy the folder to a local disk: weights are mapped, and read again when memory is short")
        ]
    }

    private static func freeDisk(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let free = facts.model?.freeDiskBytes else { return [] }
        let found = FactText.bytes(free)
        guard facts.model?.filesProblem != nil, free < 30 << 30 else { return [check.ok(found)] }
        return [
            check.warn(
                found, needed: "room for the files that are missing, 28 GB in all",
                remedy: "free some space before the download is resumed")
        ]
    }

    /// As `facet run` decides it: packed, mapped or streamed, or not at all.
    private static func modelMemory(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let model = facts.model, let weights = model.weightBytes, let work = model.workBytes,
            let available = facts.host?.usableBytes
        else { return [] }
        let needed = "\(FactText.bytes(work)) beside \(FactText.bytes(weights)) of weights"
        let found = "\(FactText.bytes(available)) available"
        guard available >= work else {
            return [
                check.fail(
                    found, needed: needed,
                    remedy: "a shorter --context, --cache-dtype int8, or end what else takes memory")
            ]
        }
        guard available >= work + weights else {
            return [
                check.warn(
                    "\(found): weights are read from the disk again and again", needed: needed,
                    remedy: smallerWeights(model, room: available - work))
            ]
        }
        return [check.ok("\(found)\(model.residency.map { ", weights \($0)" } ?? "")", needed: needed)]
    }

    /// Weights of fewer bits, when 16-bit ones would then fit: codes, scales, and the layers that stay as they are.
    private static func smallerWeights(_ model: ModelFacts, room: Int) -> String {
        let types = Set((model.bytesByDtype ?? [:]).keys)
        guard let weights = model.weightBytes, types.isSubset(of: ["BF16", "F16"]) else {
            return "a machine with more memory, or patience"
        }
        for (name, hundredths) in [("int8", 55), ("int4", 35)] where weights / 100 * hundredths < room {
            let size = FactText.bytes(weights / 100 * hundredths)
            return "--dtype \(name) takes about \(size) for weights (docs/quantization.md)"
        }
        return "a machine with more memory, or patience"
    }

    private static func cardPlan(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let plan = facts.model?.cardPlan else { return [] }
        guard plan.fits else {
            return [
                check.warn(
                    plan.summary, needed: "room on the cards",
                    remedy: "facet plan --machine FILE lists what would help")
            ]
        }
        return [check.ok("fits: \(plan.summary)")]
    }

    private static let networkFileSystems: Set<String> = [
        "9p", "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.gcsfuse", "fuse.glusterfs", "fuse.goofys",
        "fuse.juicefs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "gpfs", "lustre", "nfs", "nfs4", "smb3", "smbfs",
    ]
}

extension HostFacts {
    /// Bytes that a process may take: what the kernel calls available, within the control group's limit.
    var usableBytes: Int? {
        let left = groupLimitBytes.map { $0 - (groupUsedBytes ?? 0) }
        return [availableBytes, left].compactMap(\.self).min()
    }
}
