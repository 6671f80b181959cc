import FacetCUDA
import FacetPlacement
import FacetTerminal

/// The cards that a run may use when nobody says which.
struct AutomaticDevices {
    /// All usable cards; nil where there is none.
    let list: ResolvedDevices?

    private let visible: VisibleCards?

    /// Looks for cards.
    ///
    /// One that is there and cannot be used is told of; without any the processor computes.
    /// - Throws: `PlacementInputError`.
    init() throws {
        visible = Self.visibleCards()
        let usable = visible.map(Self.usable) ?? []
        list = try visible.flatMap { usable.isEmpty ? nil : try Self.list(usable, $0) }
    }

    private static func visibleCards() -> VisibleCards? {
        do throws(CUDAError) {
            return try VisibleCards()
        } catch {
            switch error {
            // A machine without a driver or a card is an ordinary one, unless somebody named a driver.
            case .libraryMissing where LibrarySearch().explicitPath(.driver) == nil: break
            case .noDevice:
                if let mistake = VisibleCards.mistake() {
                    Terminal.error.write("facet: no card is used: \(mistake)\n")
                }
            default: Terminal.error.write("facet: no card is used: \(error)\n")
            }
            return nil
        }
    }

    private static func list(_ usable: [Int], _ visible: VisibleCards) throws -> ResolvedDevices {
        let text = "cuda:" + usable.map { "\($0)" }.joined(separator: ",")
        return try ResolvedDevices(try DeviceSpec(parsing: text), cards: visible.cards)
    }

    /// The supported cards whose contexts open; each that does not is told of.
    private static func usable(_ visible: VisibleCards) -> [Int] {
        let supported = visible.supported
        if supported.isEmpty || (try? CUDAMachine(cards: supported)) != nil { return supported }
        return supported.filter { card in
            do {
                _ = try CUDAMachine(cards: [card])
                return true
            } catch {
                Terminal.error.write("facet: cuda:\(card) is not used: \(error)\n")
                return false
            }
        }
    }

    /// Says what was chosen, on one line.
    func announce(_ choice: DeviceChoice) {
        let names = choice.devices.resolved.devices.map(\.name).joined(separator: ", ")
        let count = visible?.devices.count ?? 0
        let reason =
            choice.plan.request.objective == .fewest
            ? "the fewest cards that hold the model" : "chosen for \(choice.plan.request.objective.rawValue)"
        Terminal.error.write(
            "facet: computing on \(names), \(reason), of \(count) visible; --devices chooses otherwise\n")
    }
}
