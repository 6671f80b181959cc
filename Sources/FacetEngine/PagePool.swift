/// Hands out the pages of the KV cache.
///
/// Integers only: it knows nothing of tensors or of what pages hold.
///
/// Pages are addressed by their owner and never by number: an owner reserves, shrinks, passes on and gives back
/// *its* pages. So freeing a page twice cannot be written, and a page has one owner by construction.
///
///     free    [7, 6, 5]                       the page given back last is handed out first
///     owned   #3 → [0, 4]    #9 → [1, 2, 3]   in the order of the owner's tokens
///
/// The idea is nano-vllm's block manager, without sharing between live sequences.
package struct PagePool: Sendable {
    /// Tokens that one page holds.
    package let pageSize: Int

    /// Pages in all.
    package let pageCount: Int

    private var free: [Int32]
    private var owned: [RequestID: [Int32]] = [:]

    /// Makes a pool whose pages are all free.
    ///
    /// - Precondition: both counts are positive.
    package init(pageCount: Int, pageSize: Int) {
        precondition(pageCount > 0 && pageSize > 0, "a pool of \(pageCount) pages of \(pageSize) tokens")
        self.pageCount = pageCount
        self.pageSize = pageSize
        // Reversed, so that pages are handed out from 0 upward.
        free = (0..<Int32(pageCount)).reversed()
    }

    /// Pages that nobody owns.
    package var freePageCount: Int { free.count }

    /// Pages that `rows` tokens take.
    package func pageCount(forRows rows: Int) -> Int { (rows + pageSize - 1) / pageSize }

    /// The owner's pages, in the order of its tokens; empty when it owns none.
    package func pages(of owner: RequestID) -> [Int32] { owned[owner] ?? [] }

    /// Grows what an owner has to `count` pages, or changes nothing.
    ///
    /// - Returns: whether the owner now has at least `count` pages.
    package mutating func reserve(_ count: Int, for owner: RequestID) -> Bool {
        let missing = count - (owned[owner]?.count ?? 0)
        guard missing <= free.count else { return false }
        guard missing > 0 else { return true }
        owned[owner, default: []].append(contentsOf: free.suffix(missing).reversed())
        free.removeLast(missing)
        return true
    }

    /// Gives back the owner's last pages, so that at most `count` remain.
    package mutating func shrink(_ owner: RequestID, to count: Int) {
        guard let pages = owned[owner], pages.count > count else { return }
        free.append(contentsOf: pages[max(count, 0)...].reversed())
        owned[owner] = count > 0 ? Array(pages[..<count]) : nil
    }

    /// Passes everything one owner has to another that has nothing.
    ///
    /// - Precondition: the heir owns no page.
    package mutating func transfer(from owner: RequestID, to heir: RequestID) {
        precondition(owned[heir] == nil, "request \(heir) already owns pages")
        owned[heir] = owned.removeValue(forKey: owner)
    }

    /// Gives back everything an owner has; an owner without pages changes nothing.
    ///
    /// - Returns: how many pages became free.
    @discardableResult
    package mutating func release(_ owner: RequestID) -> Int {
        guard let pages = owned.removeValue(forKey: owner) else { return 0 }
        free.append(contentsOf: pages.reversed())
        return pages.count
    }

    /// Looks for a page that is lost, owned twice, or both free and owned.
    ///
    /// - Returns: nil when every page is in exactly one place, otherwise what is wrong.
    package func checkIntegrity() -> String? {
        var places = [Int](repeating: 0, count: pageCount)
        for page in free + owned.values.joined() {
            guard page >= 0 && page < pageCount else { return "page \(page) does not exist" }
            places[Int(page)] += 1
        }
        guard let page = places.firstIndex(where: { $0 != 1 }) else { return nil }
        return "page \(page) is in \(places[page]) places instead of one"
    }
}
