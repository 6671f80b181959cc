import FacetCheckpoint
import FacetEngine
import FacetModel
import FacetPlacement
import FacetTensor

/// What `--devices` asks for: logical devices on the processor, each perhaps with a budget.
///
///     cpu:4                     four devices, cpu:0 to cpu:3
///     cpu:0=2GiB,cpu:1=1GiB     two devices with budgets, counted from 0 without a gap
struct DeviceList {
    /// Budget of each device in bytes; nil for no limit.
    let budgets: [Int?]

    /// Reads the option.
    ///
    /// - Throws: `CommandError.invalidOption` with the entry that is wrong.
    init(parsing text: String) throws {
        if let count = Self.number(text, after: "cpu:") {
            guard (1...64).contains(count) else { throw Self.error("cpu:1 to cpu:64", text) }
            budgets = Array(repeating: nil, count: count)
            return
        }
        var budgets: [Int?] = []
        for entry in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let index = Self.number(parts[0], after: "cpu:"), index == budgets.count else {
                throw Self.error("'cpu:\(budgets.count)=BYTES' at this place", String(entry))
            }
            budgets.append(try parts.count == 2 ? Self.byteCount(parts[1]) : nil)
        }
        self.budgets = budgets
    }

    private static func number(_ text: some StringProtocol, after prefix: String) -> Int? {
        guard text.hasPrefix(prefix) else { return nil }
        let digits = text.dropFirst(prefix.count)
        return digits.allSatisfy(\.isNumber) ? Int(digits) : nil
    }

    /// A number with one of the units KiB, MiB and GiB, or bytes without one.
    private static func byteCount(_ text: Substring) throws -> Int {
        let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)]
        for (unit, factor) in units where text.hasSuffix(unit) {
            guard let number = Double(text.dropLast(unit.count)), number > 0, number * Double(factor) < 0x1p60 else {
                break
            }
            return Int(number * Double(factor))
        }
        throw error("a size such as 2GiB or 512MiB", String(text))
    }

    private static func error(_ expected: String, _ got: String) -> CommandError {
        .invalidOption(name: "--devices", expected: expected, got: "'\(got)'")
    }

    /// A placement that gives each device a run of both chains, in proportion to the devices' budgets, or equal parts.
    func placement(_ configuration: GLM4VConfiguration, _ source: any WeightSource) throws -> Placement {
        let sizes = try ModelInventory(configuration).weightSizes(in: source)
        let shares = budgets.contains(nil) ? budgets.map { _ in 1.0 } : budgets.map { Double($0 ?? 0) }
        func chain(_ units: [UnitName]) -> [UnitPlacement] {
            let weights = units.map { Double(sizes[$0]?.byteCount ?? 0) }
            let total = max(weights.reduce(0, +), 1), allShares = shares.reduce(0, +)
            var before = 0.0
            return weights.map { weight in
                let middle = (before + weight / 2) / total
                before += weight
                var end = 0.0
                let device = shares.firstIndex { share in
                    end += share / allShares
                    return middle < end
                }
                return UnitPlacement(device: device ?? shares.count - 1)
            }
        }
        return Placement(
            vision: chain(UnitName.visionChain(layerCount: configuration.vision.layerCount)),
            decoder: chain(UnitName.decoderChain(layerCount: configuration.layerCount)))
    }
}

/// What `--json` says of each device.
struct DeviceUseReport: Encodable {
    let device: String
    let predictedBytes: Int
    let usedBytes: Int?
    let peakBytes: Int?
    let budgetBytes: Int?
    let terms: [String: Int]
    let hiddenCopySeconds: Double?
    let waitingSeconds: Double?

    init(_ report: DeviceReport) {
        device = report.device.description
        predictedBytes = report.predictedByteCount
        usedBytes = report.use?.usedByteCount
        peakBytes = report.use?.peakByteCount
        budgetBytes = report.use?.budgetByteCount
        terms = Dictionary(uniqueKeysWithValues: report.demand.terms.map { ($0.name, $0.byteCount) })
        hiddenCopySeconds = report.streaming?.hidden.seconds
        waitingSeconds = report.streaming?.waiting.seconds
    }
}

/// What `--json` says of a placement: device and residency of each unit.
enum PlacementReport {
    static func units(_ placement: Placement) -> [String: String] {
        let units =
            UnitName.visionChain(layerCount: placement.visionLayerCount)
            + UnitName.decoderChain(layerCount: placement.decoderLayerCount)
        return Dictionary(
            uniqueKeysWithValues: units.map { unit in
                let place = placement[unit]
                let suffix = place.residency == .resident ? "" : " (\(place.residency.rawValue))"
                return (unit.description, "\(place.device)\(suffix)")
            })
    }
}
