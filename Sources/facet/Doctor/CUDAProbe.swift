import FacetCUDA
import FacetDoctor
import FacetTensor

/// Asks the driver's libraries about the cards, for `facet doctor`.
struct CUDAProbe: GPUProbe {
    /// Where the libraries are looked for.
    var search = LibrarySearch()

    func facts() throws -> GPUFacts? {
        guard let library = try openNVML() else { return nil }
        var facts = GPUFacts()
        facts.driverVersion = library.driverVersion
        facts.isSimulated = library.driverVersion.contains("(simulated)")
        facts.cudaVersion = library.cudaVersion.map { $0.major * 1000 + $0.minor * 10 }
        facts.cards = try library.cards().map(CardFacts.init)
        facts.libraries = [NVIDIALibrary.nvrtc, .cublasLt].map { libraryFacts($0, library.cudaVersion?.major) }
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
        do {
            return try PeerProbe(library, try CUDADriver(search)).facts()
        } catch CUDAError.noDevice {
            // All are hidden, which is no failure of the links.
            return []
        }
    }

    func start(_ uuids: [String]) throws -> ReadyCards {
        do {
            return try started(uuids)
        } catch let error as CUDAError {
            if let unavailable = CardUnavailable(error) { throw unavailable }
            throw error
        }
    }

    private func started(_ uuids: [String]) throws -> ReadyCards {
        let visible = try CUDADriver(search).devices().map(\.uuid.description)
        let machine = try CUDAMachine(search, cards: uuids.compactMap { visible.firstIndex(of: $0) })
        guard machine.contexts.count == uuids.count else {
            throw CUDAError.noDevice(visibleDevices: visible.joined(separator: ","))
        }
        let dtype: DType = machine.contexts[0].info.capability.hasBFloat16 ? .bfloat16 : .float16
        let budgets = uuids.map { _ in Self.testByteCount }
        let devices = try machine.start(
            budgets: budgets, KernelFolders.store(search, machine.driver), CUDAMachine.Options(dtype: dtype))
        let route = uuids.count > 1 ? devices.routes[0][1] : nil
        return ReadyCards(devices.backends, dtype: dtype, transport: route.map { "\($0)" })
    }

    func link(_ uuid: String) throws -> LinkFacts? {
        try openNVML()?.cards().first { $0.uuid == uuid }.flatMap { CardFacts($0).link }
    }

    /// Memory of a card that the tests take: the demo model, and the numbers of a sum.
    private static let testByteCount = 256 << 20

    /// Whether a library of the toolkit opens, and its version where it tells it.
    private func libraryFacts(_ library: NVIDIALibrary, _ cudaMajor: Int?) -> LibraryFacts {
        do {
            guard library == .nvrtc else {
                _ = try search.open(library, cudaMajor: cudaMajor)
                return LibraryFacts(name: "\(library)", isLoadable: true)
            }
            let compiler = try NVRTC(search, cudaMajor: cudaMajor)
            return LibraryFacts(name: "\(library)", isLoadable: true, version: "\(compiler.version)")
        } catch {
            return LibraryFacts(name: "\(library)", isLoadable: false, reason: "\(error)")
        }
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

extension CardUnavailable {
    /// What is no fault of the card; nil for everything else.
    fileprivate init?(_ error: CUDAError) {
        switch error {
        case .outOfMemory(_, _, let needed, let free):
            self.init("\(needed >> 20) MiB are needed, \(free >> 20) MiB are free")
        case .callFailed(_, _, let result, let reason) where result == "CUDA_ERROR_DEVICE_UNAVAILABLE":
            self.init(reason)
        default: return nil
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

        /// Whether no trial has stopped the card yet.
        var isWorking: Bool { arena.context.lossReason == nil }
    }

    private static let arenaByteCount = 40 << 20
    private static let largeByteCount = 32 << 20
    private static let smallByteCount = 8 << 10

    private let library: NVML
    private let members: [Member]

    /// Takes memory of every card that can be used; the others' pairs are left out.
    ///
    /// - Throws: why a card cannot be used, when fewer than two can.
    init(_ library: NVML, _ driver: CUDADriver) throws {
        self.library = library
        let cards = try library.cards()
        var members: [Member] = []
        var problem: (any Error)?
        for (index, device) in try driver.devices().enumerated() {
            // An instance of a divided card has a name of its own and reaches no other.
            guard let place = cards.firstIndex(where: { $0.cardUUID == device.uuid }) else { continue }
            do {
                let arena = try DeviceArena(try CUDAContext(driver, index: index), byteCount: Self.arenaByteCount)
                members.append(Member(card: cards[place], place: place, arena: arena))
            } catch { problem = error }
        }
        if members.count < 2, let problem { throw problem }
        self.members = members
    }

    /// Each pair by itself, so that a link that stops its cards leaves the pairs of others alone.
    func facts() -> [PeerFacts] {
        var facts: [PeerFacts] = []
        for first in members.indices {
            for second in members.indices where second > first {
                let (one, other) = (members[first], members[second])
                guard one.isWorking && other.isWorking else { continue }
                do {
                    let network = try PeerNetwork([one.arena, other.arena], limit: .seconds(20))
                    for (from, to, source, target) in [(0, 1, one, other), (1, 0, other, one)] {
                        guard let link = network.link(from: from, to: to) else { continue }
                        facts.append(pair(link, source, target))
                    }
                } catch {
                    facts += [failed(one, other, error), failed(other, one, error)]
                }
            }
        }
        return facts
    }

    /// A pair whose trial stopped a card.
    private func failed(_ source: Member, _ target: Member, _ error: CUDAError) -> PeerFacts {
        var facts = PeerFacts(from: source.place, to: target.place)
        facts.hasNvlink = library.connection(source.card, target.card).nvLink.map { $0 == .possible }
        (facts.canAccess, facts.check, facts.reason) = (true, .failed, "\(error)")
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
