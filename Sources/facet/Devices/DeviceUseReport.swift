import FacetEngine
import FacetModel
import FacetPlacement
import FacetTensor
import Foundation

extension FacetEngine.DeviceReport {
    /// What the device was measured to hold at the planned maximum, beside what was planned.
    var sentence: String {
        var text = "\(device) was planned to hold \(ByteSize.text(predictedByteCount))"
        if let use {
            text += ", held \(ByteSize.text(use.peakByteCount)) at most"
            if let budget = use.budgetByteCount { text += " of \(ByteSize.text(budget))" }
        }
        if let streaming {
            let hidden = String(
                format: "%.0f ms hidden, %.0f ms waited for", streaming.hidden.seconds * 1e3,
                streaming.waiting.seconds * 1e3)
            text += "; copies of streamed units: \(hidden)"
        }
        return text + "."
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
