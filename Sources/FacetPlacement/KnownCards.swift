/// Nominal figures of cards, for plans without the card at hand; measured figures replace them.
public struct KnownCard: Sendable, Hashable {
    /// The vendor's name without its brand.
    public let name: String
    /// GiB of memory.
    public let memory: Int
    /// Dense 16-bit tensor operations per second, in 10¹².
    public let teraflops: Double
    /// Bytes of memory per second, in 10⁹.
    public let gigabytesPerSecond: Double
    /// Compute capability times 10; it decides which precisions the card computes in.
    public let capability: Int

    /// Whether the card computes in a precision without converting.
    public func computes(in precision: Precision) -> Bool {
        switch precision {
        case .bfloat16: capability >= 80
        case .float8, .float8Blocks: capability >= 89
        case .float32, .float16, .int8, .int8Groups, .int4: true
        }
    }

    /// The cards of the table.
    public static let all: [KnownCard] = [
        KnownCard(name: "RTX 5090", memory: 32, teraflops: 210, gigabytesPerSecond: 1792, capability: 120),
        KnownCard(name: "RTX 5080", memory: 16, teraflops: 113, gigabytesPerSecond: 960, capability: 120),
        KnownCard(name: "RTX 4090", memory: 24, teraflops: 165, gigabytesPerSecond: 1008, capability: 89),
        KnownCard(name: "RTX 4080", memory: 16, teraflops: 97, gigabytesPerSecond: 717, capability: 89),
        KnownCard(name: "RTX 4070", memory: 12, teraflops: 58, gigabytesPerSecond: 504, capability: 89),
        KnownCard(name: "RTX 4060 Ti", memory: 16, teraflops: 44, gigabytesPerSecond: 288, capability: 89),
        KnownCard(name: "RTX 4060", memory: 8, teraflops: 30, gigabytesPerSecond: 272, capability: 89),
        KnownCard(name: "RTX 3090", memory: 24, teraflops: 71, gigabytesPerSecond: 936, capability: 86),
        KnownCard(name: "RTX 3080", memory: 10, teraflops: 60, gigabytesPerSecond: 760, capability: 86),
        KnownCard(name: "RTX 3060", memory: 12, teraflops: 26, gigabytesPerSecond: 360, capability: 86),
        KnownCard(name: "RTX 2080 Ti", memory: 11, teraflops: 54, gigabytesPerSecond: 616, capability: 75),
        KnownCard(name: "RTX A6000", memory: 48, teraflops: 155, gigabytesPerSecond: 768, capability: 86),
        KnownCard(name: "A10", memory: 24, teraflops: 125, gigabytesPerSecond: 600, capability: 86),
        KnownCard(name: "A30", memory: 24, teraflops: 165, gigabytesPerSecond: 933, capability: 80),
        KnownCard(name: "A100 40GB", memory: 40, teraflops: 312, gigabytesPerSecond: 1555, capability: 80),
        KnownCard(name: "A100", memory: 80, teraflops: 312, gigabytesPerSecond: 2039, capability: 80),
        KnownCard(name: "L4", memory: 24, teraflops: 121, gigabytesPerSecond: 300, capability: 89),
        KnownCard(name: "L40S", memory: 48, teraflops: 362, gigabytesPerSecond: 864, capability: 89),
        KnownCard(name: "T4", memory: 16, teraflops: 65, gigabytesPerSecond: 320, capability: 75),
        KnownCard(name: "V100", memory: 32, teraflops: 112, gigabytesPerSecond: 900, capability: 70),
        KnownCard(name: "V100 16GB", memory: 16, teraflops: 112, gigabytesPerSecond: 900, capability: 70),
        KnownCard(name: "H100", memory: 80, teraflops: 989, gigabytesPerSecond: 3350, capability: 90),
        KnownCard(name: "H200", memory: 141, teraflops: 989, gigabytesPerSecond: 4800, capability: 90),
    ]

    /// The card of a name; brand, case, spaces and hyphens do not matter.
    public static func named(_ name: String) -> KnownCard? {
        let wanted = key(name)
        return all.first { key($0.name) == wanted }
    }

    /// The card that a driver's name means, such as `NVIDIA A100-SXM4-40GB`.
    ///
    /// The model's words in front decide, then the memory. A mobile or later form of a model counts as the model.
    public static func like(driverName: String, memoryByteCount: Int) -> KnownCard? {
        let wanted = words(driverName)
        var best: [KnownCard] = []
        var length = 0
        for card in all {
            let own = words(card.name).filter { !$0.hasSuffix("gb") }
            guard own.count >= length, wanted.starts(with: own) else { continue }
            if own.count > length { best = [] }
            best.append(card)
            length = own.count
        }
        return best.min { left, right in
            abs(left.memory << 30 - memoryByteCount) < abs(right.memory << 30 - memoryByteCount)
        }
    }

    /// The name without brand, case, spaces and hyphens.
    private static func key(_ name: String) -> String { words(name).joined() }

    private static func words(_ name: String) -> [Substring] {
        let brands: Set<Substring> = ["nvidia", "geforce", "tesla"]
        let words = name.lowercased().split { $0 == " " || $0 == "-" || $0 == "_" }
        return words.filter { !brands.contains($0) }
    }

    /// A device of this kind with nominal rates.
    ///
    /// - Parameters:
    ///   - contextBytes: what the driver takes; it cannot be measured without the card.
    ///   - freeBytes: nil for all of it.
    public func profile(contextBytes: Int, freeBytes: Int? = nil) -> DeviceProfile {
        let rates = DeviceRates(flops: teraflops * 1e12, bandwidth: gigabytesPerSecond * 1e9, source: .nominal)
        return DeviceProfile(
            name: name, totalBytes: memory << 30, freeBytes: freeBytes, contextBytes: contextBytes, rates: rates)
    }
}
