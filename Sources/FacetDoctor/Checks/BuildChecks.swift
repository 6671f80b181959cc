extension Check {
    /// This executable.
    static let build: [Check] = [
        Check(.build, "version", version), Check(.build, "optimization", optimization),
        Check(.build, "back ends", backends), Check(.build, "Swift runtime", runtime),
    ]

    private static func version(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let version = facts.build?.version else { return [] }
        return [check.ok("\(version), commit \(facts.build?.commit ?? "unknown")")]
    }

    private static func optimization(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let isDebug = facts.build?.isDebug else { return [] }
        guard isDebug else { return [check.ok("release build")] }
        return [
            check.warn(
                "debug build", needed: "a release build",
                remedy: "swift build -c release, or make build: a debug build is many times slower")
        ]
    }

    private static func backends(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let backends = facts.build?.backends else { return [] }
        let found = backends.joined(separator: ", ")
        let cards = CardList(facts)
        guard !backends.contains("cuda"), !cards.isEmpty else { return [check.ok(found)] }
        return [
            check.note(
                "\(found); \(FactText.count(cards.count, "card")) will not be used",
                remedy: "this version computes on the processor; rows about cards below say what a version with CUDA "
                    + "would find")
        ]
    }

    private static func runtime(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let compiler = facts.build?.compiler else { return [] }
        let place = facts.build?.hasStaticRuntime.map { $0 ? ", inside the executable" : ", shared libraries" } ?? ""
        return [check.ok(compiler + place)]
    }
}
