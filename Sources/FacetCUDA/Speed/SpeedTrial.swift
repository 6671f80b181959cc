public import FacetTensor

/// Measures devices that have been started with a little memory, before anything is planned.
///
/// Work grows until it takes long enough to be timed, so a trial takes about as long on any card: a tenth of a second
/// and less for each figure. The fastest of several runs counts: others on the machine only make it slower. Operands are
/// zeros, with which matrix units may clock a little higher than with a model's numbers.
public struct SpeedTrial {
    /// Memory that each device is best started with; less makes the figures less sure.
    public static let preferredByteCount = 400 << 20

    private let devices: [CUDABackend]
    private let dtype: DType

    /// How long work must take to be timed.
    private let least: Duration

    /// Prepares the trial of devices that were started together.
    ///
    /// - Parameter dtype: type of the operands of products.
    public init(_ devices: CUDADevices, dtype: DType, least: Duration = .milliseconds(2)) {
        self.devices = devices.backends
        self.dtype = dtype
        self.least = least
    }

    /// The speed of a device by itself.
    ///
    /// - Throws: `.deviceFailed`, `.outOfMemory` when not even the smallest trial has room.
    public func card(_ index: Int) throws(TensorError) -> CardSpeed {
        let device = devices[index]
        return CardSpeed(
            flops: try productRate(device), bandwidth: try readRate(device), uploadBandwidth: try uploadRate(device))
    }

    /// The speed of the way from one device to another.
    ///
    /// - Throws: as `card`.
    public func link(from source: Int, to target: Int) throws(TensorError) -> LinkSpeed {
        let receiver = devices[target]
        let few = (try tensor(devices[source], 8 << 10), try tensor(receiver, 8 << 10))
        let latency = try fastest(receiver, of: 8) { () throws(TensorError) in
            try receiver.copy(few.0, into: few.1)
        }
        let bandwidth = try rate(receiver, from: 1 << 20, to: 64 << 20) { (count) throws(TensorError) in
            let pair = (try tensor(devices[source], count), try tensor(receiver, count))
            return { () throws(TensorError) in try receiver.copy(pair.0, into: pair.1) }
        }
        return LinkSpeed(latency: latency, bandwidth: bandwidth)
    }

    /// Products of square matrices with as many rows of activations.
    private func productRate(_ device: CUDABackend) throws(TensorError) -> Double {
        var side = 256
        while true {
            let (rows, width) = (side, side)
            let weight = try device.allocate([width, width], dtype, label: "trial of products")
            let layer = LinearWeights(weight: weight, bias: nil, outputs: width, inputs: width)
            let x = try device.allocate([rows, width], dtype, label: "trial of products")
            let y = try device.allocate([rows, width], dtype, label: "trial of products")
            let seconds = try fastest(device, of: 4) { () throws(TensorError) in
                try device.linear(x, layer, epilogue: .store, into: y)
            }
            if seconds >= least.inSeconds || side >= 4096 || !hasRoom(device, 12 * side * side * dtype.byteCount) {
                return 2 * Double(rows) * Double(width) * Double(width) / seconds
            }
            side *= 2
        }
    }

    /// Products of one row: what they read counts.
    private func readRate(_ device: CUDABackend) throws(TensorError) -> Double {
        try rate(device, from: 1 << 20, to: 256 << 20) { (count) throws(TensorError) in
            let inputs = 4096
            let outputs = count / (inputs * dtype.byteCount)
            let weight = try device.allocate([outputs, inputs], dtype, label: "trial of reading")
            let layer = LinearWeights(weight: weight, bias: nil, outputs: outputs, inputs: inputs)
            let x = try device.allocate([1, inputs], dtype, label: "trial of reading")
            let y = try device.allocate([1, outputs], dtype, label: "trial of reading")
            return { () throws(TensorError) in try device.linear(x, layer, epilogue: .store, into: y) }
        }
    }

    private func uploadRate(_ device: CUDABackend) throws(TensorError) -> Double {
        try rate(device, from: 1 << 20, to: 64 << 20) { (count) throws(TensorError) in
            let target = try tensor(device, count)
            let source = [UInt8](repeating: 1, count: count)
            return { () throws(TensorError) in
                var failure: TensorError?
                source.withUnsafeBytes { bytes in
                    do throws(TensorError) { try device.upload(bytes, into: target) } catch { failure = error }
                }
                if let failure { throw failure }
            }
        }
    }

    /// Bytes per second of work that is doubled until it takes long enough.
    private func rate(
        _ device: CUDABackend, from smallest: Int, to largest: Int,
        _ prepare: (Int) throws(TensorError) -> (() throws(TensorError) -> Void)
    ) throws(TensorError) -> Double {
        var count = smallest
        while true {
            let seconds = try fastest(device, of: 4, prepare(count))
            if seconds >= least.inSeconds || count >= largest || !hasRoom(device, 3 * count) {
                return Double(count) / seconds
            }
            count *= 2
        }
    }

    /// Seconds of the fastest run, on the device's own clock where that ticks, and never zero.
    private func fastest(
        _ device: CUDABackend, of runs: Int, _ work: () throws(TensorError) -> Void
    ) throws(TensorError) -> Double {
        try work()
        try device.synchronize()
        var best = Double.infinity
        for _ in 0..<runs {
            let start = ContinuousClock.now
            let before = try device.record()
            try work()
            let after = try device.record()
            try device.synchronize()
            let elapsed = after.elapsed(since: before).map(\.inSeconds) ?? 0
            best = min(best, elapsed > 0 ? elapsed : (ContinuousClock.now - start).inSeconds)
        }
        return max(best, 1e-9)
    }

    private func tensor(_ device: CUDABackend, _ byteCount: Int) throws(TensorError) -> Tensor {
        try device.allocate([byteCount], .uint8, label: "trial of links")
    }

    private func hasRoom(_ device: CUDABackend, _ byteCount: Int) -> Bool {
        guard let use = device.memoryUse, let budget = use.budgetByteCount else { return false }
        return budget - use.usedByteCount >= byteCount
    }
}

extension Duration {
    fileprivate var inSeconds: Double { self / .seconds(1) }
}
