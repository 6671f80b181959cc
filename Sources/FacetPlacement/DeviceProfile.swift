/// Whether a figure was measured on the device or looked up.
public enum ProfileSource: String, Sendable, Hashable {
    /// Measured on this machine.
    case measured
    /// From the vendor's figures.
    case nominal
}

/// How fast a device computes.
public struct DeviceRates: Sendable, Hashable {
    /// Dense 16-bit operations per second.
    public var flops: Double
    /// Bytes of its memory per second.
    public var bandwidth: Double
    /// The fraction of `flops` that large products reach.
    public var computeEfficiency: Double
    /// The fraction of `bandwidth` that reading weights reaches.
    public var bandwidthEfficiency: Double
    /// Seconds to start one operation.
    public var launchSeconds: Double
    /// Where the figures come from.
    public var source: ProfileSource

    /// Names the rates.
    ///
    /// - Precondition: rates and efficiencies are positive.
    public init(
        flops: Double, bandwidth: Double, computeEfficiency: Double = 1, bandwidthEfficiency: Double = 1,
        launchSeconds: Double = 0, source: ProfileSource = .nominal
    ) {
        precondition(
            flops > 0 && bandwidth > 0 && computeEfficiency > 0 && bandwidthEfficiency > 0, "rates are positive")
        self.flops = flops
        self.bandwidth = bandwidth
        self.computeEfficiency = computeEfficiency
        self.bandwidthEfficiency = bandwidthEfficiency
        self.launchSeconds = launchSeconds
        self.source = source
    }
}

/// A device that units can be put on.
public struct DeviceProfile: Sendable, Hashable {
    /// What kind of device it is.
    public enum Kind: String, Sendable, Hashable {
        /// A graphics card.
        case gpu
        /// The host's processor; used only when the request allows it, unless there is nothing else.
        case cpu
    }

    /// Its name in reports.
    public var name: String
    /// What kind of device it is.
    public var kind: Kind
    /// Bytes of its memory.
    public var totalBytes: Int
    /// Bytes of it that nobody used when this was read.
    public var freeBytes: Int
    /// Bytes of the driver's context, kernels and library workspaces: measured, or the request's assumption.
    public var contextBytes: Int
    /// Bytes kept free on purpose; nil for the larger of 256 MiB and 2 % of the memory.
    public var marginBytes: Int?
    /// How fast it is.
    public var rates: DeviceRates

    /// Describes a device.
    public init(
        name: String, kind: Kind = .gpu, totalBytes: Int, freeBytes: Int? = nil, contextBytes: Int,
        marginBytes: Int? = nil, rates: DeviceRates
    ) {
        self.name = name
        self.kind = kind
        self.totalBytes = totalBytes
        self.freeBytes = freeBytes ?? totalBytes
        self.contextBytes = contextBytes
        self.marginBytes = marginBytes
        self.rates = rates
    }

    /// Bytes that others use.
    public var otherBytes: Int { max(0, totalBytes - freeBytes) }

    /// Bytes kept free.
    public var margin: Int { marginBytes ?? Self.ordinaryMargin(totalBytes) }

    /// What is kept free of a memory of so many bytes when nobody says.
    public static func ordinaryMargin(_ totalBytes: Int) -> Int { max(256 << 20, totalBytes / 50) }
}

/// How fast activations get from one device to another.
public struct LinkProfile: Sendable, Hashable {
    /// Seconds before the first byte.
    public var latency: Double
    /// Bytes per second after it.
    public var bandwidth: Double
    /// Where the figures come from.
    public var source: ProfileSource

    /// Describes a link.
    ///
    /// - Precondition: the bandwidth is positive, the latency not negative.
    public init(latency: Double, bandwidth: Double, source: ProfileSource = .nominal) {
        precondition(bandwidth > 0 && latency >= 0, "a link has a speed")
        self.latency = latency
        self.bandwidth = bandwidth
        self.source = source
    }

    /// Seconds for a message.
    public func seconds(_ byteCount: Int) -> Double { latency + Double(byteCount) / bandwidth }

    /// Two cards without peer access on PCIe 4 × 16: staged through host memory.
    public static let hostStaged = LinkProfile(latency: 30e-6, bandwidth: 12e9)
}

/// The devices of a machine, the links between them, and its host memory.
public struct Machine: Sendable, Hashable {
    /// Its name in reports.
    public var name: String
    /// The devices, in the order of their numbers.
    public var devices: [DeviceProfile]
    /// The link between two devices that `links` does not name.
    public var defaultLink: LinkProfile
    /// Links of ordered pairs.
    public var links: [DevicePair: LinkProfile]
    /// Host memory to device memory, for streamed units.
    public var hostLink: LinkProfile
    /// Files to device memory, for units streamed from disk.
    public var diskLink: LinkProfile
    /// Bytes of host memory available for streamed units.
    public var hostFreeBytes: Int

    /// Describes a machine; the links default to PCIe 4 × 16 without peer access and a fast disk.
    public init(
        name: String, devices: [DeviceProfile], defaultLink: LinkProfile = .hostStaged,
        links: [DevicePair: LinkProfile] = [:], hostLink: LinkProfile = LinkProfile(latency: 10e-6, bandwidth: 24e9),
        diskLink: LinkProfile = LinkProfile(latency: 100e-6, bandwidth: 3e9), hostFreeBytes: Int = 0
    ) {
        self.name = name
        self.devices = devices
        self.defaultLink = defaultLink
        self.links = links
        self.hostLink = hostLink
        self.diskLink = diskLink
        self.hostFreeBytes = hostFreeBytes
    }

    /// The link from one device to another.
    public func link(from: Int, to: Int) -> LinkProfile { links[DevicePair(from: from, to: to)] ?? defaultLink }
}

/// An ordered pair of devices.
public struct DevicePair: Sendable, Hashable {
    /// The sender.
    public var from: Int
    /// The receiver.
    public var to: Int

    /// Makes a pair.
    public init(from: Int, to: Int) {
        self.from = from
        self.to = to
    }
}
