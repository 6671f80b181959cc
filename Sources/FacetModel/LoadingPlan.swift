import FacetPlacement
import FacetQuantization
import FacetTensor

/// Which unit is loaded onto which device, and in which order; known before anything is read.
struct LoadingPlan: Sendable {
    /// A unit's turn on its device.
    struct Step: Sendable, Hashable, Comparable {
        let unit: UnitName
        let device: Int
        /// Bytes of the unit.
        let byteCount: Int
        /// Bytes that the device has loaded when the unit has been.
        let deviceByteCount: Int
        /// The step's number on its device.
        let number: Int

        /// In the order in which devices that load at the same rate come to the ends of their units.
        static func < (left: Step, right: Step) -> Bool {
            (left.deviceByteCount, left.device, left.number) < (right.deviceByteCount, right.device, right.number)
        }
    }

    let source: any WeightSource
    let placement: Placement
    let packings: [UnitName: UnitPacking]
    let schemes: [String: QuantizationScheme]
    /// Whether matrices are laid out anew.
    let packs: Bool
    /// All units, in the order of their ends: what goes wrong first in this order is what has gone wrong.
    let steps: [Step]
    private let stepsByUnit: [UnitName: Step]
    private let stepsByDevice: [Int: [Step]]

    init(
        _ source: any WeightSource, _ inventory: ModelInventory, _ configuration: GLM4VConfiguration,
        _ placement: Placement, packs: Bool
    ) {
        self.source = source
        self.placement = placement
        self.packs = packs
        schemes = inventory.schemes
        let packings = inventory.namesByUnit(in: source).mapValues { UnitPacking($0, in: source) }
        self.packings = packings
        var stepsByDevice: [Int: [Step]] = [:]
        // The layers of the model take their weights in this order (`Network`).
        for unit in UnitName.decoderUnits(of: configuration) + UnitName.visionUnits(of: configuration) {
            let device = placement[unit].device
            let before = stepsByDevice[device, default: []]
            let byteCount = packings[unit]?.tensorByteCount ?? 0
            let step = Step(
                unit: unit, device: device, byteCount: byteCount,
                deviceByteCount: (before.last?.deviceByteCount ?? 0) + byteCount, number: before.count)
            stepsByDevice[device] = before + [step]
        }
        self.stepsByDevice = stepsByDevice
        steps = stepsByDevice.values.flatMap { $0 }.sorted()
        stepsByUnit = Dictionary(uniqueKeysWithValues: steps.map { ($0.unit, $0) })
    }

    /// Devices that have units, in order.
    var devices: [Int] { stepsByDevice.keys.sorted() }

    func step(of unit: UnitName) -> Step? { stepsByUnit[unit] }

    /// What the same device loads next.
    func step(after step: Step) -> Step? {
        let steps = stepsByDevice[step.device] ?? []
        return step.number + 1 < steps.count ? steps[step.number + 1] : nil
    }

    func lastStep(of device: Int) -> Step? { stepsByDevice[device]?.last }

    /// The tensors of a unit in the source.
    func names(of unit: UnitName) -> [String] { packings[unit]?.tensors.map(\.name) ?? [] }
}
