import FacetPlacement

extension Check {
    /// What each card is and who else uses it.
    static let card: [Check] = [
        Check(.card, "kind", kind), Check(.card, "free memory", freeMemory), Check(.card, "processes", processes),
        Check(.card, "compute mode", computeMode), Check(.card, "display", display),
        Check(.card, "persistence", persistence), Check(.card, "virtual", virtual),
    ]

    /// The rows that a function gives for each card that NVML described.
    private static func each(
        _ facts: Facts, _ row: (_ subject: String, _ card: CardFacts) -> Finding?
    ) -> [Finding] {
        (facts.gpu?.cards ?? []).enumerated().compactMap { index, card in row("card \(index)", card) }
    }

    private static func kind(_ facts: Facts, _ check: Check) -> [Finding] {
        CardList(facts).entries.enumerated().map { index, entry in
            let parts = [
                entry.name ?? entry.pci?.model.map { "an NVIDIA card of model \($0)" } ?? "an NVIDIA card",
                entry.totalBytes.map(FactText.bytes),
                entry.card?.capability.map { "capability \(FactText.capability($0))" },
                entry.address,
            ]
            return check.ok(of: "card \(index)", parts.compactMap(\.self).joined(separator: ", "))
        }
    }

    /// Less than nine tenths free is more than a desktop takes.
    private static func freeMemory(_ facts: Facts, _ check: Check) -> [Finding] {
        each(facts) { subject, card in
            guard let free = card.freeBytes, let total = card.totalBytes, total > 0 else { return nil }
            let found = "\(FactText.bytes(free)) of \(FactText.bytes(total))"
            guard free < total / 10 * 9 else { return check.ok(of: subject, found) }
            return check.warn(
                of: subject, found, needed: "most of it",
                remedy: "end the processes below, leave the card out with CUDA_VISIBLE_DEVICES, or cap it with "
                    + "--max-memory")
        }
    }

    private static func processes(_ facts: Facts, _ check: Check) -> [Finding] {
        each(facts) { subject, card in
            guard let processes = card.processes else { return nil }
            guard !processes.isEmpty else { return check.ok(of: subject, "none") }
            let texts = processes.sorted { ($0.usedBytes ?? 0) > ($1.usedBytes ?? 0) }.map { process in
                let size = process.usedBytes.map { " \(FactText.bytes($0))" } ?? ""
                return "\(process.name ?? "process") (\(process.pid))\(size)"
            }
            return check.note(of: subject, FactText.list(texts, limit: 4))
        }
    }

    private static func computeMode(_ facts: Facts, _ check: Check) -> [Finding] {
        each(facts) { subject, card in
            switch card.computeMode {
            case nil: return nil
            case .normal: return check.ok(of: subject, "default")
            case .prohibited:
                return check.fail(
                    of: subject, "prohibited", needed: "default",
                    remedy: "sudo nvidia-smi -c 0: nothing may compute on this card now")
            case .exclusive:
                if card.processes?.isEmpty == false {
                    return check.fail(
                        of: subject, "exclusive process, and another process has it", needed: "default, or nobody else",
                        remedy: "end that process, or sudo nvidia-smi -c 0")
                }
                return check.note(of: subject, "exclusive process: one program at a time")
            }
        }
    }

    private static func display(_ facts: Facts, _ check: Check) -> [Finding] {
        each(facts) { subject, card in
            guard card.hasDisplay == true else { return nil }
            return check.note(
                of: subject, "drives a screen", needed: "memory to spare",
                remedy: "keep some free with --max-memory: a full card freezes the desktop")
        }
    }

    private static func persistence(_ facts: Facts, _ check: Check) -> [Finding] {
        each(facts) { subject, card in
            guard let isPersistent = card.isPersistent else { return nil }
            if isPersistent || card.hasDisplay == true { return check.ok(of: subject, isPersistent ? "on" : "off") }
            return check.note(
                of: subject, "off: every start waits for the driver", needed: "on",
                remedy: "sudo systemctl enable --now nvidia-persistenced")
        }
    }

    private static func virtual(_ facts: Facts, _ check: Check) -> [Finding] {
        each(facts) { subject, card in
            guard card.isVirtual == true else { return nil }
            return check.note(of: subject, "a share of a card (vGPU): no peer access, memory as the host divides it")
        }
    }

    // MARK: Precision

    /// What each card computes in.
    static let precision: [Check] = [
        Check(.precision, "bfloat16", bfloat16), Check(.precision, "fp8", float8), Check(.precision, "int8", int8),
        Check(.precision, "attention", attention),
    ]

    private static func byCapability(
        _ facts: Facts, _ row: (_ subject: String, _ capability: Int) -> Finding
    ) -> [Finding] {
        CardList(facts).entries.enumerated().compactMap { index, entry in
            (entry.card?.capability ?? entry.known?.capability).map { row("card \(index)", $0) }
        }
    }

    private static func bfloat16(_ facts: Facts, _ check: Check) -> [Finding] {
        byCapability(facts) { subject, capability in
            if capability >= 80 { return check.ok(of: subject, "yes") }
            return check.warn(
                of: subject, "none at capability \(FactText.capability(capability))", needed: "8.0 or newer",
                remedy:
                    "float16 with a check of its range, or int8 weights, are used on this card; the memory is the same")
        }
    }

    private static func float8(_ facts: Facts, _ check: Check) -> [Finding] {
        byCapability(facts) { subject, capability in
            if capability >= 89 { return check.ok(of: subject, "arithmetic and storage") }
            return check.note(
                of: subject, "as storage only: half the memory, and no faster prefill", needed: "8.9 or newer")
        }
    }

    private static func int8(_ facts: Facts, _ check: Check) -> [Finding] {
        byCapability(facts) { subject, capability in
            if capability >= 61 { return check.ok(of: subject, "yes") }
            return check.note(of: subject, "as storage only", needed: "6.1 or newer")
        }
    }

    private static func attention(_ facts: Facts, _ check: Check) -> [Finding] {
        each(facts) { subject, card in
            guard let sizes = card.fusedHeadSizes else { return nil }
            let missing = [112, 128].filter { !sizes.contains($0) }
            guard !missing.isEmpty else { return check.ok(of: subject, "fused for heads of 112 and 128") }
            return check.warn(
                of: subject, "not fused for heads of \(missing.map(String.init).joined(separator: " and "))",
                needed: "fused for 112 (vision) and 128 (decoder)",
                remedy: "scores are stored, which needs more memory; facet plan --attention materialized counts it")
        }
    }

    // MARK: MIG

    /// Divided cards.
    static let mig: [Check] = [Check(.mig, "instances", instances)]

    private static func instances(_ facts: Facts, _ check: Check) -> [Finding] {
        each(facts) { subject, card in
            guard card.isDivided == true else { return nil }
            let instances = card.instances ?? []
            let sizes = instances.compactMap(\.totalBytes).map(FactText.bytes)
            let found =
                FactText.count(instances.count, "instance") + (sizes.isEmpty ? "" : " of \(FactText.list(sizes))")
            switch instances.count {
            case 0:
                return check.fail(
                    of: subject, "divided, without an instance", needed: "an instance",
                    remedy: "sudo nvidia-smi mig -cgi … -C makes one; sudo nvidia-smi -mig 0 undoes the division")
            case 1: return check.note(of: subject, found)
            default:
                return check.warn(
                    of: subject, found, needed: "one for each process",
                    remedy: "a process uses one instance, chosen by CUDA_VISIBLE_DEVICES=MIG-…; for one model on the "
                        + "whole card, sudo nvidia-smi -mig 0")
            }
        }
    }
}
