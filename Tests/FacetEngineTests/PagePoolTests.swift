import FacetEngine
import Testing

@Suite("Page pool")
struct PagePoolTests {
    private let first = RequestID(1)
    private let second = RequestID(2)

    @Test("hands out each page once and takes them back")
    func reserveAndRelease() {
        var pool = PagePool(pageCount: 5, pageSize: 4)
        #expect(pool.reserve(2, for: first) == true)
        #expect(pool.reserve(3, for: second) == true)
        #expect(Set(pool.pages(of: first) + pool.pages(of: second)) == [0, 1, 2, 3, 4])
        #expect(pool.freePageCount == 0)
        #expect(pool.release(first) == 2)
        #expect(pool.freePageCount == 2)
        #expect(pool.checkIntegrity() == nil)
    }

    @Test("changes nothing when there are too few pages")
    func reserveTooMany() {
        var pool = PagePool(pageCount: 3, pageSize: 4)
        #expect(pool.reserve(1, for: first) == true)
        #expect(pool.reserve(4, for: first) == false)
        #expect(pool.pages(of: first) == [0])
        #expect(pool.freePageCount == 2)
    }

    @Test("keeps the order of an owner's pages when it grows")
    func growing() {
        var pool = PagePool(pageCount: 4, pageSize: 4)
        #expect(pool.reserve(2, for: first) == true)
        let before = pool.pages(of: first)
        #expect(pool.reserve(4, for: first) == true)
        #expect(Array(pool.pages(of: first).prefix(2)) == before)
        #expect(pool.reserve(1, for: first) == true)
        #expect(pool.pages(of: first).count == 4)
    }

    @Test("frees nothing when an owner releases twice")
    func releaseTwice() {
        var pool = PagePool(pageCount: 4, pageSize: 4)
        #expect(pool.reserve(3, for: first) == true)
        #expect(pool.release(first) == 3)
        #expect(pool.release(first) == 0)
        #expect(pool.freePageCount == 4)
        #expect(pool.checkIntegrity() == nil)
    }

    @Test("gives back the last pages when an owner shrinks", arguments: [0, 1, 3, 7])
    func shrinking(count: Int) {
        var pool = PagePool(pageCount: 6, pageSize: 4)
        #expect(pool.reserve(4, for: first) == true)
        let before = pool.pages(of: first)
        pool.shrink(first, to: count)
        #expect(pool.pages(of: first) == Array(before.prefix(count)))
        #expect(pool.freePageCount == 6 - min(count, 4))
        #expect(pool.checkIntegrity() == nil)
    }

    @Test("passes pages to an heir in their order")
    func transfer() {
        var pool = PagePool(pageCount: 4, pageSize: 4)
        #expect(pool.reserve(3, for: first) == true)
        let pages = pool.pages(of: first)
        pool.transfer(from: first, to: second)
        #expect(pool.pages(of: first).isEmpty)
        #expect(pool.pages(of: second) == pages)
        #expect(pool.checkIntegrity() == nil)
    }

    @Test("rounds rows up to pages", arguments: [(0, 0), (1, 1), (4, 1), (5, 2), (8, 2), (9, 3)])
    func pagesForRows(rows: Int, pages: Int) {
        #expect(PagePool(pageCount: 1, pageSize: 4).pageCount(forRows: rows) == pages)
    }

    @Test("keeps every page in one place whatever is done", arguments: 0..<8)
    func randomWork(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var pool = PagePool(pageCount: 16, pageSize: 4)
        for _ in 0..<500 {
            let owner = RequestID(Int.random(in: 0..<5, using: &random))
            switch Int.random(in: 0..<4, using: &random) {
            case 0: pool.release(owner)
            case 1: pool.shrink(owner, to: Int.random(in: 0..<5, using: &random))
            case 2:
                let heir = RequestID(Int.random(in: 0..<5, using: &random))
                if pool.pages(of: heir).isEmpty { pool.transfer(from: owner, to: heir) }
            default:
                let count = Int.random(in: 0..<9, using: &random)
                let free = pool.freePageCount
                let had = pool.pages(of: owner).count
                #expect(pool.reserve(count, for: owner) == (count - had <= free))
            }
            #expect(pool.checkIntegrity() == nil)
        }
    }
}
