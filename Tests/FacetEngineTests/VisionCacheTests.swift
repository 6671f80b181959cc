import FacetEngine
import FacetModel
import Testing

@Suite("Vision cache")
struct VisionCacheTests {
    private let cat = ImageHash(pixels: [1, 2, 3])
    private let dog = ImageHash(pixels: [1, 2, 4])
    private let cow = ImageHash(pixels: [])

    @Test("gives equal pixels equal hashes and others different ones")
    func hashes() {
        #expect(cat == ImageHash(pixels: [1, 2, 3]))
        #expect(cat != dog && dog != cow)
        #expect(ImageHash(pixels: [0]) != ImageHash(pixels: [-0.0]), "bits are hashed")
    }

    @Test("encodes a picture once as long as it stays")
    func hit() {
        var cache = VisionCache(capacity: 2)
        #expect(cache.acquire(cat) == .encode(ImageID(0), evicting: nil))
        #expect(cache.isNeeded(ImageID(0)) && !cache.isEncoded(ImageID(0)))
        cache.finish(ImageID(0))
        cache.release(ImageID(0))
        #expect(!cache.isNeeded(ImageID(0)) && cache.isEncoded(ImageID(0)))
        #expect(cache.acquire(cat) == .resident(ImageID(0)))
    }

    @Test("evicts no picture that is being encoded")
    func encodingStays() {
        var cache = VisionCache(capacity: 1)
        #expect(cache.acquire(cat) != nil)
        cache.release(ImageID(0))
        #expect(cache.acquire(dog) == nil)
        cache.remove(ImageID(0))
        #expect(cache.acquire(dog) == .encode(ImageID(1), evicting: nil))
    }

    @Test("evicts the picture that was unused for longest")
    func eviction() {
        var cache = VisionCache(capacity: 2)
        for hash in [cat, dog] {
            let image = cache.acquire(hash)?.image ?? ImageID(-1)
            cache.finish(image)
            cache.release(image)
        }
        cache.release((cache.acquire(cat)?.image) ?? ImageID(-1))
        #expect(cache.acquire(cow) == .encode(ImageID(2), evicting: ImageID(1)))
        #expect(cache.acquire(cat) == .resident(ImageID(0)))
    }

    @Test("refuses when every picture is in use")
    func full() {
        var cache = VisionCache(capacity: 1)
        #expect(cache.acquire(cat) != nil)
        cache.finish(ImageID(0))
        #expect(cache.acquire(dog) == nil)
        #expect(cache.acquire(cat) == .resident(ImageID(0)))
        cache.release(ImageID(0))
        #expect(cache.acquire(dog) == nil, "one of two users is left")
        cache.release(ImageID(0))
        #expect(cache.acquire(dog) == .encode(ImageID(1), evicting: ImageID(0)))
    }

    @Test("encodes a picture again after it failed")
    func removal() {
        var cache = VisionCache(capacity: 1)
        #expect(cache.acquire(cat) == .encode(ImageID(0), evicting: nil))
        cache.remove(ImageID(0))
        #expect(cache.count == 0)
        #expect(cache.acquire(cat) == .encode(ImageID(1), evicting: nil))
    }
}
