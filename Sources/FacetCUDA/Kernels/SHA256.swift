/// The hash function SHA-256 (FIPS 180-4), which names compiled kernels by what they were made of.
struct SHA256 {
    private var state: [UInt32] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    private var block: [UInt8] = []
    private var byteCount: UInt64 = 0

    /// The hash of some bytes.
    static func digest<Bytes: Sequence<UInt8>>(of bytes: Bytes) -> [UInt8] {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finish()
    }

    /// The digest as 64 hexadecimal digits.
    static func text<Bytes: Sequence<UInt8>>(of bytes: Bytes) -> String {
        digest(of: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Adds bytes to what is hashed.
    mutating func update<Bytes: Sequence<UInt8>>(_ bytes: Bytes) {
        for byte in bytes {
            block.append(byte)
            byteCount += 1
            if block.count == 64 {
                mix()
                block.removeAll(keepingCapacity: true)
            }
        }
    }

    /// Ends the message and gives the digest.
    consuming func finish() -> [UInt8] {
        let bitCount = byteCount * 8
        update(CollectionOfOne(0x80))
        while block.count != 56 { update(CollectionOfOne(0)) }
        update((0..<8).map { UInt8(truncatingIfNeeded: bitCount >> (56 - 8 * $0)) })
        return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) } }
    }

    /// The compression function, on one whole block.
    private mutating func mix() {
        var w = (0..<16).map { index in
            block[4 * index..<4 * index + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        for index in 16..<64 {
            let s0 = w[index - 15].turned(7) ^ w[index - 15].turned(18) ^ w[index - 15] >> 3
            let s1 = w[index - 2].turned(17) ^ w[index - 2].turned(19) ^ w[index - 2] >> 10
            w.append(w[index - 16] &+ s0 &+ w[index - 7] &+ s1)
        }
        var (a, b, c, d, e, f, g, h) = (
            state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]
        )
        for index in 0..<64 {
            let s1 = e.turned(6) ^ e.turned(11) ^ e.turned(25)
            let choice = (e & f) ^ (~e & g)
            let t1 = h &+ s1 &+ choice &+ Self.constants[index] &+ w[index]
            let s0 = a.turned(2) ^ a.turned(13) ^ a.turned(22)
            let majority = (a & b) ^ (a & c) ^ (b & c)
            (h, g, f, e, d, c, b, a) = (g, f, e, d &+ t1, c, b, a, t1 &+ s0 &+ majority)
        }
        for (index, word) in [a, b, c, d, e, f, g, h].enumerated() { state[index] &+= word }
    }

    /// The first 32 bits of the fractions of the cube roots of the first 64 primes.
    private static let constants: [UInt32] = {
        var primes: [Int] = []
        var candidate = 2
        while primes.count < 64 {
            if primes.allSatisfy({ candidate % $0 != 0 }) { primes.append(candidate) }
            candidate += 1
        }
        return primes.map { prime in
            // The cube root in 32 fractional bits: the largest r with r³ ≤ prime · 2⁹⁶, by bisection on integers.
            var root: UInt64 = 0
            for bit in stride(from: 35, through: 0, by: -1) {
                let trial = root | 1 << UInt64(bit)
                let square = trial.multipliedFullWidth(by: trial)
                let low = square.low.multipliedFullWidth(by: trial)
                let high = square.high &* trial &+ low.high
                // prime · 2⁹⁶ has its bits above the first 64, shifted by 32.
                if high < UInt64(prime) << 32 || (high == UInt64(prime) << 32 && low.low == 0) { root = trial }
            }
            return UInt32(truncatingIfNeeded: root)
        }
    }()
}

extension UInt32 {
    /// Turned to the right.
    fileprivate func turned(_ count: UInt32) -> UInt32 { self >> count | self << (32 - count) }
}
