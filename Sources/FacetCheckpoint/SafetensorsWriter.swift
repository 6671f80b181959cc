import FacetJSON

/// Writes one safetensors file, tensor after tensor, without ever holding more than the caller gives it.
///
/// The file appears under its name only when `finish` has returned.
package struct SafetensorsWriter: ~Copyable {
    /// A tensor to be written.
    package struct Item: Sendable, Hashable {
        /// Its name in the header.
        package let name: String
        /// Type of its elements.
        package let dtype: SafetensorsDType
        /// Lengths of its dimensions, outermost first.
        package let shape: [Int]

        /// Describes a tensor; the product of `shape` must fit an `Int`.
        package init(_ name: String, _ dtype: SafetensorsDType, _ shape: [Int]) {
            self.name = name
            self.dtype = dtype
            self.shape = shape
        }

        /// Bytes of all elements.
        package var byteCount: Int { shape.reduce(dtype.byteCount, *) }
    }

    private var file: AtomicFile
    private let byteCount: Int

    /// Starts a file: its header is written at once.
    ///
    /// - Parameters:
    ///   - path: where the file will stand.
    ///   - items: all tensors in the order in which their bytes will come; no name twice.
    ///   - metadata: goes into the header as `__metadata__`.
    /// - Throws: `.unwritable`, `.diskFull`.
    package init(path: String, items: [Item], metadata: [String: String] = [:]) throws(CheckpointError) {
        let header = Self.header(items, metadata: metadata)
        var file = try AtomicFile(path)
        try file.write(header)
        self.file = consume file
        byteCount = items.reduce(header.count) { $0 + $1.byteCount }
    }

    /// Appends bytes of the tensors, as many or few as is convenient; tensors follow one another without padding.
    ///
    /// - Throws: `.unwritable`, `.diskFull`.
    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        try file.write(bytes)
    }

    /// Appends zeros that take no room on disk.
    ///
    /// - Throws: `.unwritable`, `.diskFull`.
    package mutating func writeHole(_ count: Int) throws(CheckpointError) {
        try file.writeHole(count)
    }

    /// Completes the file and gives it its name.
    ///
    /// - Precondition: exactly the bytes of all tensors have been written.
    /// - Throws: `.unwritable`, `.diskFull`.
    package mutating func finish() throws(CheckpointError) {
        precondition(file.byteCount == byteCount, "\(file.byteCount) bytes of \(byteCount) have been written")
        try file.commit()
    }

    /// The bytes before the data: length field and JSON, padded with spaces so that data starts at a multiple of 64.
    ///
    /// - Precondition: no name occurs twice.
    package static func header(_ items: [Item], metadata: [String: String] = [:]) -> [UInt8] {
        var members: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }
                .map { JSONValue.quoted($0.key) + ":" + JSONValue.quoted($0.value) }
            members.append("\"__metadata__\":{" + pairs.joined(separator: ",") + "}")
        }
        var begin = 0
        var names: Set<String> = []
        for item in items {
            precondition(names.insert(item.name).inserted, "tensor \(item.name) is to be written twice")
            let end = begin + item.byteCount
            let shape = item.shape.map(String.init).joined(separator: ",")
            members.append(
                JSONValue.quoted(item.name)
                    + ":{\"dtype\":\"\(item.dtype)\",\"shape\":[\(shape)],\"data_offsets\":[\(begin),\(end)]}")
            begin = end
        }
        var json = Array(("{" + members.joined(separator: ",") + "}").utf8)
        let length = SafetensorsHeader.lengthByteCount
        let padding = (64 - (length + json.count) % 64) % 64
        json.append(contentsOf: repeatElement(UInt8(ascii: " "), count: padding))
        return withUnsafeBytes(of: UInt64(json.count).littleEndian) { Array($0) } + json
    }
}
