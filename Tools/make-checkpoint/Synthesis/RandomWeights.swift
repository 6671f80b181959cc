package import FacetCheckpoint
import Foundation

/// Pseudo-random bf16 weights of any length, quickly: one block of numbers, read again and again from other places.
///
/// Weights have mean 0 and standard deviation 0.02, so activations stay finite through the depth of the published
/// model; norm weights are 1. The block's length has no factor in common with usual row lengths, so no two rows of
/// one matrix are equal. The same seed gives the same checkpoint on every machine.
package struct RandomWeights: Sendable {
    /// Elements in the block, about 64 MiB: prime, so that rows never line up with it.
    package static let defaultBlockElementCount = 33_554_393

    private let block: [UInt16]
    private let ones = [UInt16](repeating: 0x3F80, count: 1 << 12)
    private let seed: UInt64

    /// Makes the block.
    package init(seed: UInt64, blockElementCount: Int = defaultBlockElementCount) {
        var state = seed
        let scale = Self.standardDeviation / Self.sumDeviation
        block = [UInt16](unsafeUninitializedCapacity: blockElementCount) { buffer, count in
            for index in 0..<blockElementCount {
                let sum = Self.sumOfFour(Self.next(&state))
                buffer[index] = Self.bfloat16((Float(sum) - Self.sumMean) * scale)
            }
            count = blockElementCount
        }
        self.seed = seed
    }

    /// Appends the elements of one tensor to a file.
    ///
    /// - Parameters:
    ///   - item: the tensor; bf16.
    ///   - trainedRowCount: rows of the output layer below this are random, the rest 0, so that no id beyond the
    ///     vocabulary is ever the likeliest.
    /// - Throws: `.unwritable`, `.diskFull`.
    package func write(
        _ item: SafetensorsWriter.Item, trainedRowCount: Int, to file: inout SafetensorsWriter
    ) throws(CheckpointError) {
        let elementCount = item.byteCount / item.dtype.byteCount
        if item.name.hasSuffix("inv_freq") {
            try Self.write(Self.inverseFrequencies(elementCount)[...], to: &file)
        } else if Self.isNormWeight(item.name) {
            try repeatBlock(ones, from: 0, elementCount, to: &file)
        } else if item.name.hasSuffix("output_layer.weight"), let rowCount = item.shape.first, rowCount > 0 {
            let randomCount = elementCount / rowCount * min(trainedRowCount, rowCount)
            try repeatBlock(block, from: start(of: item.name), randomCount, to: &file)
            try file.writeHole((elementCount - randomCount) * item.dtype.byteCount)
        } else {
            try repeatBlock(block, from: start(of: item.name), elementCount, to: &file)
        }
    }

    private func repeatBlock(
        _ source: [UInt16], from start: Int, _ elementCount: Int, to file: inout SafetensorsWriter
    ) throws(CheckpointError) {
        var place = start
        var rest = elementCount
        while rest > 0 {
            let count = min(rest, source.count - place)
            try Self.write(source[place..<place + count], to: &file)
            rest -= count
            place = 0
        }
    }

    /// Where in the block a tensor begins: from its name (FNV-1a), so that it does not depend on the other tensors.
    private func start(of name: String) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ seed
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int(hash % UInt64(block.count))
    }

    private static func write(
        _ elements: ArraySlice<UInt16>, to file: inout SafetensorsWriter
    ) throws(CheckpointError) {
        // Little-endian as the format asks; both supported architectures are.
        try elements.withUnsafeBufferPointer { (buffer) throws(CheckpointError) in
            try file.write(UnsafeRawBufferPointer(buffer))
        }
    }

    private static func isNormWeight(_ name: String) -> Bool {
        name.hasSuffix("layernorm.weight") || name.hasSuffix("norm1.weight")
    }

    /// `10000^(-2j / 2n)` for j below n: what the published model stores, rounded to bf16.
    private static func inverseFrequencies(_ count: Int) -> [UInt16] {
        (0..<count).map { bfloat16(Float(pow(1e-4, Double($0) / Double(count)))) }
    }
}

extension RandomWeights {
    private static let standardDeviation: Float = 0.02
    // Sum of four uniform 16-bit integers: near enough to a normal distribution.
    private static let sumMean: Float = 4 * 32767.5
    private static let sumDeviation: Float = 37837.2  // sqrt(4 · (65536² - 1) / 12)

    private static func sumOfFour(_ bits: UInt64) -> UInt64 {
        bits & 0xFFFF + bits >> 16 & 0xFFFF + bits >> 32 & 0xFFFF + bits >> 48
    }

    /// The next number of SplitMix64 (Steele, Lea and Flood, 2014).
    private static func next(_ state: inout UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// The upper half of a float32, rounded to nearest even; finite values only.
    private static func bfloat16(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
    }
}
