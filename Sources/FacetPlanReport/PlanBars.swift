import FacetTerminal

/// A plan's memory as bars to one scale, for a terminal: each letter or colored cell is a share of a device.
///
///     cuda:0 RTX 4090  VVVVVVVVVVVDDDDDDDDDKACm·············│  13.9 of 23.5 GiB
public enum PlanBars {
    /// The bars, and a line that says what they show.
    ///
    /// - Parameters:
    ///   - columns: cells of a line.
    ///   - usesColor: whether the terminal understands color codes.
    public static func text(_ report: PlanReport, columns: Int, usesColor: Bool) -> String {
        let labels = report.devices.map { $0.card.isEmpty ? $0.name : "\($0.name) \($0.card)" }
        let figures = report.devices.map { device in
            "\(NumberText.fixed(gibibytes(device.neededByteCount), 1)) of "
                + "\(NumberText.fixed(gibibytes(device.budgetByteCount), 1)) GiB"
        }
        let labelWidth = labels.map(DisplayWidth.cells).max() ?? 0
        let figureWidth = figures.map(DisplayWidth.cells).max() ?? 0
        let width = min(100, max(10, columns - labelWidth - figureWidth - 6))
        let largest = max(1, report.devices.map(\.totalByteCount).max() ?? 1)
        var lines = ""
        for (device, (label, figure)) in zip(report.devices, zip(labels, figures)) {
            let padding = String(repeating: " ", count: labelWidth - DisplayWidth.cells(label))
            let (bar, cellCount) = bar(device, width: width, largest: largest, usesColor: usesColor)
            let rest = String(repeating: " ", count: max(0, width + 1 - cellCount))
            lines += "\(label)\(padding)  \(bar)\(rest)  \(figure)\n"
        }
        return lines + legend(report, indent: labelWidth + 2, columns: columns, usesColor: usesColor)
    }

    /// One device: its terms, what is free up to the budget, the budget's end, and what others hold.
    private static func bar(
        _ device: DeviceReport, width: Int, largest: Int, usesColor: Bool
    ) -> (text: String, cellCount: Int) {
        func cells(_ byteCount: Int) -> Int {
            Int((Double(byteCount) / Double(largest) * Double(width)).rounded())
        }
        var text = ""
        var end = 0
        var used = 0
        for term in device.terms {
            used += term.byteCount
            let next = min(width, cells(used))
            text += run(term.kind, next - end, usesColor: usesColor)
            end = max(end, next)
        }
        let budget = max(end, min(width, cells(device.budgetByteCount)))
        let total = max(budget, min(width, cells(device.totalByteCount)))
        text += String(repeating: "·", count: budget - end) + "│" + String(repeating: "x", count: total - budget)
        return (text, total + 1)
    }

    private static func run(_ kind: TermReport.Kind, _ count: Int, usesColor: Bool) -> String {
        guard count > 0 else { return "" }
        guard usesColor else { return String(repeating: kind.letter, count: count) }
        return "\u{1B}[38;5;\(color(kind))m" + String(repeating: "█", count: count) + "\u{1B}[0m"
    }

    /// What the letters or colors mean, in as many lines as it takes.
    private static func legend(_ report: PlanReport, indent: Int, columns: Int, usesColor: Bool) -> String {
        let kinds = TermReport.Kind.allCases.filter { kind in
            report.devices.contains { $0.terms.contains { $0.kind == kind } }
        }
        var entries = kinds.map { kind in
            (usesColor ? run(kind, 1, usesColor: true) : String(kind.letter), kind.rawValue)
        }
        entries.append(("·", "free"))
        if report.devices.contains(where: { $0.totalByteCount > $0.budgetByteCount }) {
            entries.append(("x", "not ours"))
        }
        let margin = String(repeating: " ", count: indent)
        var lines: [String] = []
        var width = columns
        for (sign, name) in entries {
            let length = 2 + DisplayWidth.cells(name) + 2
            if lines.isEmpty || width + length > columns {
                lines.append(margin + "\(sign) \(name)")
                width = indent + length
            } else {
                lines[lines.count - 1] += "  \(sign) \(name)"
                width += length
            }
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func gibibytes(_ byteCount: Int) -> Double { Double(byteCount) / Double(1 << 30) }

    /// The nearest of the 256 terminal colors to the picture's palette.
    private static func color(_ kind: TermReport.Kind) -> Int {
        switch kind {
        case .visionWeights: 141
        case .decoderWeights: 33
        case .cache: 43
        case .tables: 30
        case .activations: 214
        case .logits: 203
        case .staging: 113
        case .context: 246
        case .margin: 252
        }
    }
}
