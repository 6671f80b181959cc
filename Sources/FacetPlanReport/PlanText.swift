import FacetTerminal

/// A plan as lines for people.
public enum PlanText {
    /// The whole answer: what is planned, a table of the devices, times, hops, and why it is so.
    ///
    /// - Parameters:
    ///   - picture: bars to scale, from `PlanBars`, put between table and times; empty for none.
    ///   - explains: whether the formulas' values are listed.
    public static func text(_ report: PlanReport, picture: String = "", explains: Bool = false) -> String {
        var blocks = [heading(report), table(report), runs(report)]
        if !picture.isEmpty { blocks.append(picture) }
        blocks.append(times(report))
        if !report.hops.isEmpty { blocks.append(hops(report)) }
        blocks += [
            list("Why not otherwise", report.alternatives), list("What would change it", report.changes),
            list("Notes", report.notes), options(report),
        ]
        if explains { blocks.append(explanations(report)) }
        return blocks.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    /// A refusal: the sentence is the error's; this is what would help, one line each.
    public static func remedies(_ refusal: RefusalReport) -> String {
        guard !refusal.remedies.isEmpty else { return "" }
        var table = TextTable([("change", .left), ("then", .left), ("cost", .left)])
        for remedy in refusal.remedies {
            let then = remedy.deficitBytes == 0 ? "fits" : "lacks \(Self.size(remedy.deficitBytes))"
            table.append([remedy.change, then, remedy.cost])
        }
        return "Would help, in this order:\n" + indented(table.text)
    }

    private static func heading(_ report: PlanReport) -> String {
        let work = report.workload
        return """
            \(report.model) in \(report.precision) on \(report.machine): fits.
            \(count(work.sequences, "sequence")) of \(count(work.imagesPerSequence, "picture")), \
            \(work.textTokens) text tokens and up to \(work.newTokens) new ones: \(work.capacityTokens) rows of cache \
            each; \(work.attention) attention, prefill by \(work.chunkTokens).
            Optimized for \(report.objective); policy \(report.policy).

            """
    }

    private static func table(_ report: PlanReport) -> String {
        let kinds = TermReport.Kind.allCases.filter { kind in
            report.devices.contains { $0.terms.contains { $0.kind == kind } }
        }
        var table = TextTable(
            [("GiB", .left), ("", .left)] + kinds.map { ($0.heading, .right) } + [
                ("needs", .right), ("budget", .right), ("free", .right),
            ])
        for device in report.devices {
            let terms = kinds.map { kind in
                device.terms.first { $0.kind == kind }.map { NumberText.gibibytes($0.byteCount) } ?? "–"
            }
            table.append(
                [device.name, device.card] + terms + [
                    NumberText.gibibytes(device.neededByteCount), NumberText.gibibytes(device.budgetByteCount),
                    NumberText.gibibytes(device.headroomByteCount),
                ])
        }
        return table.text
    }

    private static func runs(_ report: PlanReport) -> String {
        var table = TextTable([("computes", .left), ("vision", .left), ("decoder", .left)])
        for device in report.devices where device.isUsed {
            table.append([device.name, device.vision?.text ?? "–", device.decoder?.text ?? "–"])
        }
        return table.text
    }

    private static func times(_ report: PlanReport) -> String {
        let times = report.prediction
        let bound = report.bound
        let unit = bound.unit.isEmpty ? "" : " " + bound.unit
        let limit = bound.bound.map { "; the best possible is \(NumberText.fixed($0, 4))\(unit)" } ?? ""
        return """
            First token after \(NumberText.seconds(times.firstTokenSeconds)), then \
            \(NumberText.seconds(times.stepSeconds)) per step: \(NumberText.short(times.tokensPerSecond)) tokens/s \
            (\(times.rates) rates).
            \(bound.quantity): \(NumberText.fixed(bound.value, 4))\(unit)\(limit).

            """
    }

    private static func hops(_ report: PlanReport) -> String {
        var table = TextTable([("hop", .left), ("before", .left), ("bytes", .right), ("time", .right)])
        for hop in report.hops {
            let names = "\(report.devices[hop.source].name) → \(report.devices[hop.target].name)"
            table.append([names, hop.unit, size(hop.byteCount), NumberText.seconds(hop.seconds)])
        }
        return table.text
    }

    private static func options(_ report: PlanReport) -> String {
        guard !report.options.isEmpty else { return "" }
        var table = TextTable([
            ("ways to use the devices", .left), ("dtype", .left), ("first token", .right), ("token", .right),
            ("tokens/s", .right), ("sequences", .right), ("", .left),
        ])
        for option in report.options {
            table.append([
                option.name, option.precision, NumberText.seconds(option.firstTokenSeconds),
                NumberText.seconds(option.tokenSeconds), NumberText.short(option.tokensPerSecond),
                "\(option.sequenceCapacity)", option.isExecutable ? "" : "not in this version",
            ])
        }
        return table.text
    }

    private static func explanations(_ report: PlanReport) -> String {
        var table = TextTable([("", .left), ("", .right), ("", .left)])
        for line in report.explanations { table.append([line.name, line.value, "= " + line.formula]) }
        return "Values of the formulas:\n" + indented(table.text)
    }

    private static func list(_ title: String, _ lines: [String]) -> String {
        lines.isEmpty ? "" : "\(title):\n" + lines.map { "  - \($0)\n" }.joined()
    }

    private static func indented(_ text: String) -> String {
        text.split(separator: "\n").map { "  \($0)\n" }.joined()
    }

    private static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

    /// A size in the unit that suits it.
    static func size(_ byteCount: Int) -> String {
        if byteCount >= 1 << 30 { return NumberText.fixed(Double(byteCount) / Double(1 << 30), 2) + " GiB" }
        if byteCount >= 1 << 20 { return NumberText.fixed(Double(byteCount) / Double(1 << 20), 1) + " MiB" }
        return NumberText.fixed(Double(byteCount) / 1024, 1) + " KiB"
    }
}
