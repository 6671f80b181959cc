package import FacetModel

/// Names the content of a preprocessed picture: equal pixels have equal hashes.
///
/// Two keyed SipHash values of the pixels' bits. The key is chosen anew by each process, so nobody outside can
/// build two pictures that collide; a hash means nothing beyond the process that made it.
public struct ImageHash: Sendable, Hashable {
    private let low: Int
    private let high: Int

    /// Hashes pixels.
    public init(pixels: [Float]) {
        func hash(seed: UInt8) -> Int {
            var hasher = Hasher()
            hasher.combine(seed)
            pixels.withUnsafeBytes { hasher.combine(bytes: $0) }
            return hasher.finalize()
        }
        low = hash(seed: 0)
        high = hash(seed: 1)
    }
}

/// Which pictures' features lie in the runner's slots, and who still needs them.
///
/// Integers only. A picture asked about twice is encoded once as long as its features stay. A slot whose picture no
/// sequence needs is reused, the one unused for longest first.
package struct VisionCache: Sendable {
    /// What the runner has to do before a picture's features can be read.
    package enum Acquisition: Sendable, Hashable {
        /// Nothing: they are there, or somebody else's request has them made.
        case resident(ImageID)
        /// Release `evicting`, when there is one, then encode the picture.
        case encode(ImageID, evicting: ImageID?)

        /// The picture.
        package var image: ImageID {
            switch self {
            case .resident(let image), .encode(let image, _): image
            }
        }
    }

    private struct Entry {
        let image: ImageID
        let hash: ImageHash
        var userCount: Int
        var isEncoded = false
    }

    /// Slots in all.
    package let capacity: Int

    // Least recently used first.
    private var entries: [Entry] = []
    private var nextID = 0

    /// Makes a cache whose slots are all empty.
    package init(capacity: Int) { self.capacity = capacity }

    /// Pictures whose features are resident.
    package var count: Int { entries.count }

    /// Keeps a picture's features until `release`, making room for them when they are not resident.
    ///
    /// - Returns: nil when every slot holds a picture that some sequence still needs.
    package mutating func acquire(_ hash: ImageHash) -> Acquisition? {
        if let index = entries.firstIndex(where: { $0.hash == hash }) {
            var entry = entries.remove(at: index)
            entry.userCount += 1
            entries.append(entry)
            return .resident(entry.image)
        }
        var evicted: ImageID?
        if entries.count >= capacity {
            guard let index = entries.firstIndex(where: { $0.userCount == 0 && $0.isEncoded }) else { return nil }
            evicted = entries.remove(at: index).image
        }
        let image = ImageID(nextID)
        nextID += 1
        entries.append(Entry(image: image, hash: hash, userCount: 1))
        return .encode(image, evicting: evicted)
    }

    /// Notes that a picture's features are there.
    package mutating func finish(_ image: ImageID) {
        guard let index = entries.firstIndex(where: { $0.image == image }) else { return }
        entries[index].isEncoded = true
    }

    /// Whether a picture's features can be read.
    package func isEncoded(_ image: ImageID) -> Bool { entries.first { $0.image == image }?.isEncoded ?? false }

    /// Whether anybody needs a picture.
    package func isNeeded(_ image: ImageID) -> Bool { (entries.first { $0.image == image }?.userCount ?? 0) > 0 }

    /// Ends one `acquire`: the features may be replaced once nobody else needs them.
    package mutating func release(_ image: ImageID) {
        guard let index = entries.firstIndex(where: { $0.image == image }) else { return }
        precondition(entries[index].userCount > 0, "image \(image.rawValue) is released more often than acquired")
        entries[index].userCount -= 1
    }

    /// Forgets a picture whose features could not be computed, or need not be.
    package mutating func remove(_ image: ImageID) { entries.removeAll { $0.image == image } }
}
