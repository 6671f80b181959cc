extension Check {
    /// Small computations with known results.
    static let selfTest: [Check] = [
        Check(.selfTest, "operations", operations), Check(.selfTest, "picture", picture),
    ]

    private static func operations(_ facts: Facts, _ check: Check) -> [Finding] {
        let untested = (facts.selfTest?.untested ?? []).map {
            check.note(of: $0.device, "not tested: \($0.reason)", remedy: "end the programs that use it, and try again")
        }
        let operations = facts.selfTest?.operations ?? []
        var devices: [String] = []
        for operation in operations where !devices.contains(operation.device) { devices.append(operation.device) }
        return untested
            + devices.flatMap { device in rows(of: device, operations.filter { $0.device == device }, check) }
    }

    /// One row for a device whose operations all passed, otherwise one for each that did not.
    private static func rows(
        of device: String, _ operations: [SelfTestFacts.Operation], _ check: Check
    ) -> [Finding] {
        let wrong = operations.filter { !$0.isRight }
        if wrong.isEmpty {
            let worst = operations.map { ($0.error ?? 0) / $0.tolerance }.max() ?? 0
            return [
                check.ok(
                    of: device,
                    "\(FactText.count(operations.count, "result")) right, the worst at "
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

    private static func picture(_ facts: Facts, _ check: Check) -> [Finding] {
        (facts.selfTest?.pictures ?? []).map { picture in
            let needed = "an answer with '\(picture.expected)'"
            let remedy = "the installation is broken or the device computes wrongly; report this with --bundle"
            guard let answer = picture.answer else {
                return check.fail(of: picture.device, picture.problem ?? "no answer", needed: needed, remedy: remedy)
            }
            let found = "the demo model answers '\(answer.prefix(80))'"
            guard answer.lowercased().contains(picture.expected) else {
                return check.fail(of: picture.device, found, needed: needed, remedy: remedy)
            }
            return check.ok(of: picture.device, found, needed: needed)
        }
    }
}

extension SelfTestFacts.Operation {
    /// Whether it ran and its error is one that rounding explains.
    var isRight: Bool { problem == nil && error.map { $0 <= tolerance } ?? false }
}
