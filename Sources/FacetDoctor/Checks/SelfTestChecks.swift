extension Check {
    /// Small computations with known results.
    static let selfTest: [Check] = [
        Check(.selfTest, "operations", operations), Check(.selfTest, "picture", picture),
    ]

    /// One row for each device whose operations all passed, and one for each operation that did not.
    private static func operations(_ facts: Facts, _ check: Check) -> [Finding] {
        let operations = facts.selfTest?.operations ?? []
        var devices: [String] = []
        for operation in operations where !devices.contains(operation.device) { devices.append(operation.device) }
        return devices.flatMap { device -> [Finding] in
            let own = operations.filter { $0.device == device }
            let wrong = own.filter { !$0.isRight }
            if wrong.isEmpty {
                let worst = own.map { ($0.error ?? 0) / $0.tolerance }.max() ?? 0
                return [
                    check.ok(
                        of: device,
                        "\(FactText.count(own.count, "result")) right, the worst at "
                            + "\(Int((worst * 100).rounded())) % of the tolerance")
                ]
            }
            return wrong.map { operation in
                let found = operation.problem ?? operation.error.map { "an error of \($0)" } ?? "no result"
                return check.fail(
                    of: device, "\(operation.name): \(found)", needed: "at most \(operation.tolerance)",
                    remedy: "do not use this device: its results are wrong; report this with --bundle")
            }
        }
    }

    private static func picture(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let picture = facts.selfTest?.picture else { return [] }
        let needed = "an answer with '\(picture.expected)'"
        let remedy = "the installation is broken or the machine computes wrongly; report this with --bundle"
        guard let answer = picture.answer else {
            return [check.fail(picture.problem ?? "no answer", needed: needed, remedy: remedy)]
        }
        let found = "the demo model answers '\(answer.prefix(80))'"
        guard answer.lowercased().contains(picture.expected) else {
            return [check.fail(found, needed: needed, remedy: remedy)]
        }
        return [check.ok(found, needed: needed)]
    }
}

extension SelfTestFacts.Operation {
    /// Whether it ran and its error is one that rounding explains.
    var isRight: Bool { problem == nil && error.map { $0 <= tolerance } ?? false }
}
