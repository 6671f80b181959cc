import FacetCUDA
import FacetDoctor

/// Asks the driver's libraries about the cards, for `facet doctor`.
struct CUDAProbe: GPUProbe {
    /// Where the libraries are looked for.
    var search = LibrarySearch()

    func facts() throws -> GPUFacts? {
        guard let library = try openNVML() else { return nil }
        var facts = GPUFacts()
        facts.driverVersion = library.driverVersion
        facts.cudaVersion = library.cudaVersion.map { $0.major * 1000 + $0.minor * 10 }
        facts.cards = try library.cards().map(CardFacts.init)
        do {
            facts.visibleCards = try CUDADriver(search).devices().map(\.uuid.description)
        } catch CUDAError.noDevice {
            facts.visibleCards = []
        } catch {
            facts.startProblem = "\(error)"
        }
        return facts
    }

    func peers() throws -> [PeerFacts] {
        guard let library = try openNVML() else { return [] }
        return try PeerProbe(library, try CUDADriver(search)).facts()
    }

    /// The library; nil where it is not installed and nobody said where it is.
    private func openNVML() throws -> NVML? {
        do {
            return try NVML(search)
        } catch CUDAError.libraryMissing where search.explicitPath(.nvml) == nil {
            return nil
        }
    }
}

/// Tries every pair of the cards that CUDA shows.
private struct PeerProbe {
    /// A card that CUDA shows, and its place in NVML's list.
    private struct Member {
        let card: NVMLCard
        let place: Int
        let arena: DeviceArena
    }

    private static let arenaByteCount = 40 << 20
    private static let largeByteCount = 32 << 20
    private static let smallByteCount = 8 << 10

    private let library: NVML
    private let members: [Member]

    init(_ library: NVML, _ driver: CUDADriver) throws {
        self.library = library
        let cards = try library.cards()
        members = try driver.devices().enumerated().compactMap { index, device in
            // An instance of a divided card has a name of its own and reaches no other.
            guard let place = cards.firstIndex(where: { $0.cardUUID == device.uuid }) else { return nil }
            let arena = try DeviceArena(try CUDAContext(driver, index: index), byteCount: Self.arenaByteCount)
            return Member(card: cards[place], place: place, arena: arena)
        }
    }

    func facts() throws -> [PeerFacts] {
        let network = try PeerNetwork(members.map(\.arena))
        var facts: [PeerFacts] = []
        for first in members.indices {
            for second in members.indices where second != first {
                guard let link = network.link(from: first, to: second) else { continue }
                facts.append(pair(link, members[first], members[second]))
            }
        }
        return facts
    }

    private func pair(_ link: PeerLink, _ source: Member, _ target: Member) -> PeerFacts {
        var facts = PeerFacts(from: source.place, to: target.place)
        let connection = library.connection(source.card, target.card)
        facts.hasNvlink = connection.nvLink.map { $0 == .possible }
        switch link.route {
        case .direct: (facts.canAccess, facts.check) = (true, .passed)
        case .staged(.notSupported):
            facts.canAccess = false
            facts.reason = connection.read.flatMap(Self.text)
        case .staged(.notOpened(let result)):
            (facts.canAccess, facts.check, facts.reason) = (true, .failed, result)
        case .staged(.corrupts): (facts.canAccess, facts.check) = (true, .differs)
        case .staged(.hangs): (facts.canAccess, facts.check) = (true, .hangs)
        case .staged(.switchedOff): break
        }
        // After a copy that hangs, another one would wait for it.
        if facts.check != .hangs {
            facts.bytesPerSecond = seconds(link, source, target, Self.largeByteCount, repeats: 3)
                .map { Double(Self.largeByteCount) / $0 }
            facts.latencySeconds = seconds(link, source, target, Self.smallByteCount, repeats: 20)
        }
        return facts
    }

    /// The shortest time of a copy; nil when it cannot be tried, for want of memory perhaps.
    private func seconds(
        _ link: PeerLink, _ source: Member, _ target: Member, _ byteCount: Int, repeats: Int
    ) -> Double? {
        guard let from = try? source.arena.allocate(byteCount, label: "measurement of a link"),
            let to = try? target.arena.allocate(byteCount, label: "measurement of a link"),
            let stream = try? CUDAStream(target.arena.context)
        else { return nil }
        var best: Duration?
        for _ in 0..<repeats {
            let start = ContinuousClock.now
            guard (try? link.copy(from.address, to: to.address, byteCount: byteCount, on: stream)) != nil,
                (try? stream.synchronize()) != nil
            else { return nil }
            best = min(best ?? .seconds(3600), ContinuousClock.now - start)
        }
        return best.map { $0 / .seconds(1) }.flatMap { $0 > 0 ? $0 : nil }
    }

    private static func text(_ ability: NVMLConnection.Ability) -> String? {
        switch ability {
        case .possible, .unknown: nil
        case .chipsetForbids: "chipset not supported"
        case .cardCannot: "card not supported"
        case .topologyForbids: "no path between them"
        case .switchedOff: "switched off"
        case .notSupported: "not supported"
        }
    }
}
