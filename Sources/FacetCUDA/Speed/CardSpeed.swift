/// How fast a card was measured to be, in the terms that plans use.
public struct CardSpeed: Sendable, Hashable, Codable {
    /// Floating-point operations of large products per second, an addition and a multiplication each.
    public let flops: Double

    /// Bytes of weights per second that a product with one row reads.
    public let bandwidth: Double

    /// Bytes per second from the host, through pinned memory.
    public let uploadBandwidth: Double

    /// States a speed.
    public init(flops: Double, bandwidth: Double, uploadBandwidth: Double) {
        self.flops = flops
        self.bandwidth = bandwidth
        self.uploadBandwidth = uploadBandwidth
    }
}

/// How fast bytes were measured to go from one device to another.
public struct LinkSpeed: Sendable, Hashable, Codable {
    /// Seconds until a few bytes have arrived.
    public let latency: Double

    /// Bytes per second of long copies.
    public let bandwidth: Double

    /// States a speed.
    public init(latency: Double, bandwidth: Double) {
        self.latency = latency
        self.bandwidth = bandwidth
    }
}
