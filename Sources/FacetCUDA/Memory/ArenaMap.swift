/// Which parts of an arena are taken: offsets and lengths alone, so that it is tested without any memory.
///
/// The smallest free part that is large enough is taken, from its front; parts that are given back grow together with
/// their free neighbors. Both are linear in the number of free parts, which is small: memory is given away while a model
/// is loaded and taken back when it goes.
struct ArenaMap: Sendable {
    /// Where every part begins: what vector loads, texture units and copy engines ask for.
    static let alignment = 256

    let byteCount: Int

    /// The free parts, in order, no two of them side by side.
    private(set) var free: [Range<Int>]

    /// Bytes that are taken, alignment included.
    private(set) var usedByteCount = 0

    /// The most that were ever taken.
    private(set) var peakByteCount = 0

    /// All free; the length is cut to a multiple of the alignment.
    init(byteCount: Int) {
        self.byteCount = byteCount / Self.alignment * Self.alignment
        free = self.byteCount > 0 ? [0..<self.byteCount] : []
    }

    /// What a part of this length takes: at least one unit, so that no two parts begin at one place.
    static func rounded(_ byteCount: Int) -> Int { (max(byteCount, 1) + alignment - 1) / alignment * alignment }

    /// The longest part that can be taken.
    var largestFreeByteCount: Int { free.map(\.count).max() ?? 0 }

    /// Takes a part; nil when no free one is long enough.
    mutating func take(_ byteCount: Int) -> Range<Int>? {
        let length = Self.rounded(byteCount)
        let fitting = free.indices.filter { free[$0].count >= length }
        guard let index = fitting.min(by: { free[$0].count < free[$1].count }) else { return nil }
        let part = free[index]
        let taken = part.lowerBound..<part.lowerBound + length
        if taken.upperBound == part.upperBound {
            free.remove(at: index)
        } else {
            free[index] = taken.upperBound..<part.upperBound
        }
        usedByteCount += length
        peakByteCount = max(peakByteCount, usedByteCount)
        return taken
    }

    /// Gives a part back.
    ///
    /// - Precondition: it was taken and not given back yet.
    mutating func giveBack(_ part: Range<Int>) {
        let index = free.firstIndex { $0.lowerBound >= part.upperBound } ?? free.count
        precondition(index == 0 || free[index - 1].upperBound <= part.lowerBound, "a part was given back twice")
        usedByteCount -= part.count
        var merged = part
        var replaced = index..<index
        if index < free.count && free[index].lowerBound == merged.upperBound {
            merged = merged.lowerBound..<free[index].upperBound
            replaced = index..<index + 1
        }
        if index > 0 && free[index - 1].upperBound == merged.lowerBound {
            merged = free[index - 1].lowerBound..<merged.upperBound
            replaced = index - 1..<replaced.upperBound
        }
        free.replaceSubrange(replaced, with: [merged])
    }
}
