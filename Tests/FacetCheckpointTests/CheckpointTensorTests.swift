import FacetCheckpoint
import FacetTensor
import Testing

@Suite("A tensor of a checkpoint") struct CheckpointTensorTests {
    /// A checkpoint in memory with one tensor, its data `offset` bytes after an aligned address.
    ///
    /// The data is 0, 1, 2 and so on.
    private func checkpoint(
        _ dtype: SafetensorsDType, count: Int, offset: Int = 0
    ) throws(CheckpointError) -> Checkpoint {
        let item = SafetensorsWriter.Item("a", dtype, [count])
        let bytes = SafetensorsWriter.header([item]) + (0..<item.byteCount).map { UInt8(truncatingIfNeeded: $0) }
        return try Checkpoint([SafetensorsSample.open(bytes, offset: offset)], location: "memory")
    }

    private func bytes(_ tensor: Tensor) -> [UInt8] {
        withExtendedLifetime(tensor) {
            Array(UnsafeRawBufferPointer(start: tensor.address, count: tensor.byteCount))
        }
    }

    @Test("is a view of bytes in memory", arguments: DType.allCases)
    func inMemory(_ dtype: DType) throws {
        let checkpoint = try checkpoint(SafetensorsDType(dtype), count: 6)
        let tensor = try checkpoint.tensor(named: "a")
        #expect(tensor.dtype == dtype && tensor.shape == [6])
        #expect(UnsafeRawPointer(tensor.address) == checkpoint["a"]?.address)
        #expect(bytes(tensor) == (0..<6 * dtype.byteCount).map { UInt8($0) })
    }

    @Test("is copied to an aligned address once when it has none", arguments: [1, 2, 3])
    func misaligned(_ offset: Int) throws {
        let checkpoint = try checkpoint(.float32, count: 3, offset: offset)
        let tensor = try checkpoint.tensor(named: "a")
        #expect(Int(bitPattern: tensor.address) % 4 == 0)
        #expect(bytes(tensor) == Array(0..<12))
        #expect(try checkpoint.tensor(named: "a").address == tensor.address)
    }

    @Test("misalignedTensors: copies have a limit")
    func misalignedLimit() throws {
        let count = 17 << 20
        let checkpoint = try checkpoint(.float32, count: count, offset: 1)
        #expect(
            throws: CheckpointError.misalignedTensors(
                tensor: "a", byteCount: 4 * count, limit: 64 << 20, file: SafetensorsSample.name)
        ) { try checkpoint.tensor(named: "a") }
    }

    @Test("may be empty")
    func empty() throws {
        let tensor = try checkpoint(.bfloat16, count: 0).tensor(named: "a")
        #expect(tensor.byteCount == 0)
    }

    @Test("unsupportedDType", arguments: [SafetensorsDType.int64, .float64, .bool, .float8E5M2])
    func unsupportedDType(_ dtype: SafetensorsDType) throws {
        let checkpoint = try checkpoint(dtype, count: 2)
        #expect(
            throws: CheckpointError.unsupportedDType(tensor: "a", got: dtype, file: SafetensorsSample.name)
        ) { try checkpoint.tensor(named: "a") }
    }

    @Test("rounds advice to whole pages, inwards where pages are dropped")
    func pages() {
        let page = MemoryPages.byteCount
        let limit = 10 * page + 5
        #expect(MemoryPages.rounded(page + 1..<3 * page - 1, inwards: false, limit: limit) == page..<3 * page - 1)
        #expect(MemoryPages.rounded(page + 1..<3 * page - 1, inwards: true, limit: limit).isEmpty)
        #expect(MemoryPages.rounded(page + 1..<4 * page - 1, inwards: true, limit: limit) == 2 * page..<3 * page)
        #expect(MemoryPages.rounded(1..<page - 1, inwards: true, limit: limit).isEmpty)
        #expect(MemoryPages.rounded(page..<limit, inwards: true, limit: limit) == page..<limit)
    }
}
