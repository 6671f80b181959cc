/// Why there is no plan.
public enum PlacementError: Error, Sendable, Hashable {
    /// The machine has no device.
    case noDevices
    /// The machine has more devices than can be searched.
    case tooManyDevices(count: Int, limit: Int)
    /// A cap, a pin or a required device names a device that the machine does not have.
    case unknownDevice(index: Int, count: Int, option: String)
    /// A cap is not positive.
    case invalidCap(device: Int, byteCount: Int)
    /// A kind of unit may be put nowhere.
    case pinnedNowhere(unit: String)
    /// A sequence has more tokens than the model has positions.
    case tooManyTokens(tokens: Int, limit: Int)
    /// A count of the workload is beyond what can be reckoned with.
    case tooMany(String, count: Int, limit: Int)
    /// A plan would have to stream more than the host has room for.
    case hostTooSmall(needed: Int, available: Int)
    /// A placement was made for another model.
    case wrongPlacement(expected: String, got: String)
    /// No placement fits; the value says by how little and what would help.
    case doesNotFit(Refusal)
}

extension PlacementError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noDevices:
            "The machine has no device to plan for; name at least one card or processor."
        case .tooManyDevices(let count, let limit):
            "The machine has \(count) devices, but at most \(limit) can be planned for; leave some out."
        case .unknownDevice(let index, let count, let option):
            "\(option) names device \(index), but the machine has devices 0 to \(count - 1); name one of these."
        case .invalidCap(let device, let byteCount):
            "The cap of device \(device) is \(byteCount) bytes; give a positive number of bytes."
        case .pinnedNowhere(let unit):
            "\(unit) is pinned to no device that may be used; name at least one."
        case .tooManyTokens(let tokens, let limit):
            "A sequence of \(tokens) tokens was asked for, but the model has room for \(limit); ask for fewer tokens."
        case .tooMany(let name, let count, let limit):
            "\(count) \(name) were asked for, but at most \(limit) can be planned for; ask for fewer."
        case .hostTooSmall(let needed, let available):
            "\(mebibytes(needed)) of weights would be streamed from host memory, but \(mebibytes(available)) are free "
                + "there; free some, stream from disk, or use more device memory."
        case .wrongPlacement(let expected, let got):
            "The placement is for a model with \(got) layers, but \(expected) are to be placed; make a new one."
        case .doesNotFit(let refusal): refusal.description
        }
    }
}

/// How little is missing, and what would help.
public struct Refusal: Sendable, Hashable {
    /// The smallest number of bytes such that a placement fits when every device has as many more.
    public var deficitPerDevice: Int
    /// The device on which alone the fewest more bytes would do, and how many; nil when no number on one device would.
    public var deficitOfOne: DeviceDeficit?
    /// Bytes of the weights in the chosen precision.
    public var weightBytes: Int
    /// Bytes that the devices may use together.
    public var budgetBytes: Int
    /// What would help, the cheapest first.
    public var remedies: [Remedy]
}

/// Missing bytes of one device.
public struct DeviceDeficit: Sendable, Hashable {
    /// The device's number.
    public var device: Int
    /// Bytes that it lacks.
    public var byteCount: Int
}

extension Refusal: CustomStringConvertible {
    public var description: String {
        var text = "The model does not fit: each device lacks \(mebibytes(deficitPerDevice))"
        if let one = deficitOfOne { text += ", or device \(one.device) alone \(mebibytes(one.byteCount))" }
        text += " (weights \(mebibytes(weightBytes)), budgets \(mebibytes(budgetBytes)) together)"
        let helpful = remedies.filter(\.fits).map(\.kind.description)
        return helpful.isEmpty
            ? text + "; no single remedy is enough, use more memory or combine them."
            : text + "; what would fit: " + helpful.joined(separator: "; ") + "."
    }
}

/// A number of bytes for people: MiB, rounded up, so that no deficit is ever shown as nothing.
func mebibytes(_ byteCount: Int) -> String { "\(byteCount.dividedUp(by: 1 << 20)) MiB" }
