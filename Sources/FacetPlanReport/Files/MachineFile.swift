import FacetJSON
public import FacetPlacement

/// A machine as a file describes it: cards with their memory, links between them, and the host.
///
/// `docs/plan-json.md` documents the form. The machine object of the placement fixtures is read too: `gpus` is another
/// word for `cards`, and a document with a member `machine` is read from there.
public struct MachineFile: Sendable, Hashable {
    /// One card.
    public struct Card: Sendable, Hashable {
        /// What it is, such as `RTX 4090`; nil when only its memory is known.
        public var name: String?
        /// Bytes of its memory; nil when the name has to tell.
        public var totalByteCount: Int?
        /// Bytes that nobody uses; nil when that is not known.
        public var freeByteCount: Int?
        /// `GPU-` and its UUID.
        public var uuid: String?
        /// Its place on the bus.
        public var pciID: String?
        /// Measured dense tensor rate, TFLOP/s.
        public var teraflops: Double?
        /// Measured memory bandwidth, GB/s.
        public var bandwidth: Double?
    }

    /// A connection of two cards, the same in both directions.
    public struct Link: Sendable, Hashable {
        /// The two cards, by place in the list, the lower first.
        public var cards: [Int]
        /// GB/s of one direction.
        public var bandwidth: Double
        /// Seconds before the first byte arrives.
        public var latency: Double
    }

    /// The machine's name; nil when the file gives none.
    public var name: String?

    /// The cards; their order is that of CUDA's numbers when nothing hides one.
    public var cards: [Card]

    /// Links that are known; the others are through host memory.
    public var links: [Link]

    /// Bytes of host memory that can be taken; nil when that is not known.
    public var hostFreeByteCount: Int?
}

extension MachineFile {
    /// Reads the bytes of a file.
    ///
    /// - Parameter input: what errors call the file.
    /// - Throws: `.unreadable` when it is not JSON; otherwise the member that is wrong, its place, and what was expected.
    public init(parsing bytes: [UInt8], input: String) throws(PlacementInputError) {
        let document = try JSONValue(reading: bytes, input: input)
        var fields = try JSONFields(document["machine"] ?? document, place: "", input: input)
        name = try fields.text("name")
        let cardValues = try fields.array("cards", "gpus")
        guard let cardValues else {
            throw .missing(
                input: input, what: "the member \"cards\"",
                remedy: "write for example {\"cards\": [{\"name\": \"RTX 4090\"}]}")
        }
        guard cardValues.count <= CardList.cardLimit else {
            throw .outOfRange(
                input: input, entry: "\(cardValues.count) cards", expected: "at most \(CardList.cardLimit)")
        }
        cards = []
        for (index, value) in cardValues.enumerated() {
            cards.append(try Card(value, place: "cards[\(index)]", index: index, input))
        }
        links = []
        for (index, value) in (try fields.array("links") ?? []).enumerated() {
            let link = try Link(value, place: "links[\(index)]", cardCount: cards.count, input)
            if let first = links.firstIndex(where: { $0.cards == link.cards }) {
                throw .duplicate(input: input, entry: "links[\(index)]", first: "links[\(first)]")
            }
            links.append(link)
        }
        hostFreeByteCount = try fields.byteCount("cpu_free_bytes")
        try fields.finish()
    }
}

extension MachineFile.Card {
    fileprivate init(
        _ value: JSONValue, place: String, index: Int, _ input: String
    ) throws(PlacementInputError) {
        var fields = try JSONFields(value, place: place, input: input)
        name = try fields.text("name")
        totalByteCount = try fields.byteCount("total_bytes")
        freeByteCount = try fields.byteCount("free_bytes")
        uuid = try fields.text("uuid")
        pciID = try fields.text("pci_id")
        teraflops = try fields.number("tflops", in: 0.001...1e6)
        bandwidth = try fields.number("bandwidth_gb_s", in: 0.001...1e6)
        if let stated = fields.value("index"), stated.integer != index {
            throw fields.malformed("index", stated, "\(index), the card's place in the list")
        }
        try fields.finish()
        guard name != nil || totalByteCount != nil else {
            throw .missing(
                input: input, what: "a name or a size of \(place)",
                remedy: "add \"name\": \"RTX 4090\" or \"total_bytes\": \"24GiB\"")
        }
        if let freeByteCount, let totalByteCount, freeByteCount > totalByteCount {
            throw .outOfRange(
                input: input, entry: "\(place).free_bytes: \(freeByteCount)",
                expected: "at most its total_bytes, \(totalByteCount)")
        }
    }
}

extension MachineFile.Link {
    fileprivate init(
        _ value: JSONValue, place: String, cardCount: Int, _ input: String
    ) throws(PlacementInputError) {
        var fields = try JSONFields(value, place: place, input: input)
        let ends = try fields.array("between") ?? []
        let indices = Set(ends.compactMap(\.integer)).sorted()
        guard ends.count == 2, indices.count == 2, indices.allSatisfy((0..<cardCount).contains) else {
            throw .malformed(
                input: input, entry: "\(place).between", expected: "two different cards, such as [0, 1]")
        }
        cards = indices
        guard let bandwidth = try fields.number("gb_s", in: 0.001...1e6) else {
            throw .missing(input: input, what: "\(place).gb_s", remedy: "add the link's GB/s in one direction")
        }
        self.bandwidth = bandwidth
        latency = (try fields.number("latency_us", in: 0...1e6) ?? 10) / 1e6
        try fields.finish()
    }
}
