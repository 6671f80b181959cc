import FacetTerminal

extension DoctorReport {
    /// The report as lines for people; rows that differ in the card only are one.
    ///
    ///     host
    ///       ok    processor          2 threads, …
    ///       warn  memory             3.2 GiB available
    ///             needed             5.0 GiB
    ///             remedy             end what else takes memory
    ///
    /// - Parameters:
    ///   - width: cells of a line; longer texts continue below.
    ///   - isColored: whether verdicts are colored as terminals do it.
    public func text(width: Int, isColored: Bool) -> String {
        let rows = Self.merged(findings)
        let labels = rows.map { Self.label($0.finding, $0.subjects) }
        let labelWidth = min(32, max(16, width / 3), labels.map(DisplayWidth.cells).max() ?? 0)
        let layout = Layout(labelWidth: labelWidth, width: width)
        var text = ""
        var group: CheckGroup?
        for (finding, label) in zip(rows.map(\.finding), labels) {
            if finding.group != group {
                text += (group == nil ? "" : "\n") + finding.group.rawValue + "\n"
                group = finding.group
            }
            let word = Self.word(finding.verdict, isColored)
            text += layout.line(prefix: "  \(word)  ", label, finding.found)
            guard finding.verdict != .ok else { continue }
            if let needed = finding.needed { text += layout.line(prefix: "        ", "needed", needed) }
            if let remedy = finding.remedy { text += layout.line(prefix: "        ", "remedy", remedy) }
        }
        return text + "\n\(summary)\n"
    }

    /// The counts in words.
    private var summary: String {
        let names: [(Verdict, String, String)] = [
            (.fail, "failure", "failures"), (.warn, "warning", "warnings"), (.note, "note", "notes"),
        ]
        let parts = names.map { verdict, one, many in
            let count = counts[verdict.rawValue] ?? 0
            return "\(count) \(count == 1 ? one : many)"
        }
        return parts.joined(separator: ", ") + ", \(counts[Verdict.ok.rawValue] ?? 0) ok"
    }

    /// Rows that say the same of several subjects, at the place of the first.
    private static func merged(_ findings: [Finding]) -> [(finding: Finding, subjects: [String])] {
        var rows: [(finding: Finding, subjects: [String])] = []
        for finding in findings {
            var general = finding
            general.subject = nil
            if let subject = finding.subject, let index = rows.firstIndex(where: { $0.finding == general }) {
                rows[index].subjects.append(subject)
            } else {
                rows.append((general, finding.subject.map { [$0] } ?? []))
            }
        }
        return rows
    }

    private static func label(_ finding: Finding, _ subjects: [String]) -> String {
        guard !subjects.isEmpty else { return finding.check }
        let numbers = subjects.compactMap(cardNumber)
        guard numbers.count > 1 else { return "\(finding.check), \(subjects.joined(separator: ", "))" }
        let isRange = numbers == Array(numbers[0]...max(numbers[0], numbers[numbers.count - 1]))
        let cards =
            isRange && numbers.count > 2
            ? "cards \(numbers[0])–\(numbers[numbers.count - 1])"
            : "cards \(numbers.map(String.init).joined(separator: ", "))"
        let others = subjects.filter { cardNumber($0) == nil }
        return ([finding.check] + others + [cards]).joined(separator: ", ")
    }

    /// 3 for `card 3`.
    private static func cardNumber(_ subject: String) -> Int? {
        subject.hasPrefix("card ") ? Int(subject.dropFirst("card ".count)) : nil
    }

    /// The verdict in four cells.
    private static func word(_ verdict: Verdict, _ isColored: Bool) -> String {
        let word = verdict.rawValue + String(repeating: " ", count: 4 - verdict.rawValue.count)
        guard isColored else { return word }
        let color =
            switch verdict {
            case .ok: 32
            case .note: 36
            case .warn: 33
            case .fail: 31
            }
        return "\u{1B}[\(color)m\(word)\u{1B}[0m"
    }
}

/// Where labels and texts stand.
private struct Layout {
    let labelWidth: Int
    let width: Int

    /// Cells in front of a text.
    private var indent: Int { 8 + labelWidth + 2 }

    /// A label and a text, which continues below itself where it is too long.
    func line(prefix: String, _ label: String, _ text: String) -> String {
        let (label, text) = (Self.harmless(label), Self.harmless(text))
        let padding = labelWidth - DisplayWidth.cells(label)
        let lines = wrapped(text)
        let margin = String(repeating: " ", count: indent)
        // A label that is too long has a line to itself.
        let head = prefix + label + (padding >= 0 ? String(repeating: " ", count: padding + 2) : "\n" + margin)
        return head + lines.joined(separator: "\n" + margin) + "\n"
    }

    /// The text without what a terminal would act upon: facts may be those of somebody else's file.
    private static func harmless(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    scalar == "\n" ? " " : scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar
                }))
    }

    /// The words of a text in lines; a word that is longer than a line stays whole.
    private func wrapped(_ text: String) -> [String] {
        let room = max(24, width - indent)
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, DisplayWidth.cells(line) + 1 + DisplayWidth.cells(String(word)) > room {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + [line]
    }
}
