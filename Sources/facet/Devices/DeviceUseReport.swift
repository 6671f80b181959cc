import FacetEngine
import FacetModel
import FacetPlacement
import FacetTensor

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
