extension Check {
    /// Copies from card to card.
    static let peer: [Check] = [
        Check(.peer, "peer access", peerAccess), Check(.peer, "address translation", translation),
    ]

    /// Pairs that are alike share a row, so that eight cards do not make fifty-six.
    private static func peerAccess(_ facts: Facts, _ check: Check) -> [Finding] {
        var groups: [(kind: PeerKind, pairs: [PeerFacts])] = []
        for pair in facts.gpu?.peers ?? [] {
            let kind = PeerKind(pair)
            if let index = groups.firstIndex(where: { $0.kind == kind }) {
                groups[index].pairs.append(pair)
            } else {
                groups.append((kind, [pair]))
            }
        }
        return groups.map { kind, pairs in row(check, kind, pairs) }
    }

    private static func row(_ check: Check, _ kind: PeerKind, _ pairs: [PeerFacts]) -> Finding {
        let names = pairs.map { "\($0.from)→\($0.to)" }
        let subject = FactText.list(names, limit: 4)
        let rates = pairs.compactMap(\.bytesPerSecond)
        let rate = rates.min().map { ", \(FactText.number($0 / 1e9)) GB/s" } ?? ""
        let delay = pairs.compactMap(\.latencySeconds).max().map { ", \(FactText.number($0 * 1e6)) µs" } ?? ""
        switch kind {
        case .verified(let nvlink):
            return check.ok(of: subject, "\(nvlink ? "NVLink" : "PCIe"), copies checked\(rate)\(delay)")
        case .unverified(let nvlink):
            return check.note(of: subject, "\(nvlink ? "NVLink" : "PCIe"), not tried")
        case .unknown: return check.note(of: subject, "not known")
        case .none(let reason):
            let why = reason.map { " (\($0))" } ?? ""
            return check.note(
                of: subject, "none\(why): copies go through the host's memory\(rate)",
                remedy: "enough for layers on different cards; tensor parallelism wants peer access")
        case .broken(let result):
            let found =
                switch result {
                case .differs: "claimed, but a copy arrives changed"
                case .hangs: "claimed, but a copy does not end"
                case .failed, .passed: "claimed, but a copy fails"
                }
            return check.fail(
                of: subject, found, needed: "what is sent",
                remedy: "this pair copies through the host's memory; switch off the IOMMU and ACS in the BIOS, update "
                    + "the driver")
        }
    }

    private static func translation(_ facts: Facts, _ check: Check) -> [Finding] {
        guard facts.driver?.hasAddressTranslation == true, CardList(facts).count > 1 else { return [] }
        guard facts.gpu?.peers?.contains(where: { $0.canAccess == true && $0.check != .passed }) == true else {
            return [check.note("the IOMMU is on: peer copies may be slower or wrong, and are checked before use")]
        }
        return [
            check.warn(
                "the IOMMU is on, and peer copies are not proven", needed: "off, or copies that were checked",
                remedy: "iommu=pt on the kernel's command line, or off in the BIOS")
        ]
    }
}

/// What is said of a pair of cards.
private enum PeerKind: Equatable {
    case verified(nvlink: Bool)
    case unverified(nvlink: Bool)
    case none(reason: String?)
    case broken(PeerFacts.Check)
    case unknown

    init(_ pair: PeerFacts) {
        switch (pair.canAccess, pair.check) {
        case (true?, .passed?): self = .verified(nvlink: pair.hasNvlink ?? false)
        case (true?, nil): self = .unverified(nvlink: pair.hasNvlink ?? false)
        case (true?, let check?): self = .broken(check)
        case (false?, _): self = .none(reason: pair.reason)
        case (nil, _): self = .unknown
        }
    }
}
