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
            let times = String(
                format: "%.0f ms, %.0f %% of it hidden, %.0f ms waited for", streaming.copying.seconds * 1e3,
                100 * streaming.hiddenShare, streaming.waiting.seconds * 1e3)
            text += "; copies of streamed units: \(times)"
            if let refusal = streaming.pinningRefusal { text += "; through the processor: \(refusal)" }
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
    let copySeconds: Double?
    let hiddenCopySeconds: Double?
    let waitingSeconds: Double?
    let pinningRefusal: String?

    init(_ report: DeviceReport) {
        device = report.device.description
        predictedBytes = report.predictedByteCount
        usedBytes = report.use?.usedByteCount
        peakBytes = report.use?.peakByteCount
        budgetBytes = report.use?.budgetByteCount
        terms = Dictionary(uniqueKeysWithValues: report.demand.terms.map { ($0.name, $0.byteCount) })
        copySeconds = report.streaming?.copying.seconds
        hiddenCopySeconds = report.streaming?.hidden.seconds
        waitingSeconds = report.streaming?.waiting.seconds
        pinningRefusal = report.streaming?.pinningRefusal.map { "\($0)" }
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
