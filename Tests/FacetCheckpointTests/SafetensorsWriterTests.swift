import FacetCheckpoint
import FacetTensor
import FacetTestSupport
import Foundation
import Testing

@Suite("Writing safetensors") struct SafetensorsWriterTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path + "/model.safetensors"
    }

    private func write(_ items: [SafetensorsWriter.Item], _ pieces: [[UInt8]]) throws(CheckpointError) {
        var writer = try SafetensorsWriter(path: path, items: items, metadata: ["format": "pt", "b\"": "é\n"])
        for piece in pieces {
            try piece.withUnsafeBufferPointer { (buffer) throws(CheckpointError) in
                try writer.write(UnsafeRawBufferPointer(buffer))
            }
        }
        try writer.finish()
    }

    private func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    @Test("gives a file that reads back, in pieces of any size")
    func roundTrip() throws {
        let items = [
            SafetensorsWriter.Item("z.w", .bfloat16, [2, 3]), SafetensorsWriter.Item("a \"\u{1}", .uint8, [5]),
            SafetensorsWriter.Item("s", .float32, []), SafetensorsWriter.Item("e", .float64, [0, 7]),
        ]
        let bytes = (0..<21).map { UInt8($0) }
        try write(items, [Array(bytes[0..<1]), Array(bytes[1..<14]), [], Array(bytes[14...])])
        let file = try SafetensorsFile(path: path)
        #expect(file.metadata == ["format": "pt", "b\"": "é\n"])
        #expect(Set(file.entries.map(\.name)) == Set(items.map(\.name)))
        let checkpoint = try Checkpoint(folder: folder.path)
        #expect(try checkpoint.entry(named: "z.w").copy == Array(bytes[0..<12]))
        #expect(try checkpoint.entry(named: items[1].name).copy == Array(bytes[12..<17]))
        #expect(try checkpoint.entry(named: "s").copy == Array(bytes[17..<21]))
        #expect(try checkpoint.entry(named: "e").shape == [0, 7])
        #expect(try checkpoint.entry(named: "z.w").byteRange.lowerBound % 64 == 0)
    }

    @Test("leaves the old file and nothing else when it does not finish")
    func abandoned() throws {
        try write([SafetensorsWriter.Item("a", .uint8, [1])], [[7]])
        do {
            var writer = try SafetensorsWriter(path: path, items: [SafetensorsWriter.Item("b", .uint8, [9])])
            try writer.writeHole(3)
            #expect(try names().count == 2)
        }
        #expect(try names() == ["model.safetensors"])
        #expect(try Checkpoint(folder: folder.path)["a"]?.copy.first == 7)
    }

    @Test("unwritable: a folder that does not exist, and a folder in the file's place")
    func unwritable() throws {
        let missing = folder.path + "/none/x"
        let reason = "No such file or directory"
        #expect(throws: CheckpointError.unwritable(file: missing, operation: "create", reason: reason)) {
            _ = try AtomicFile(missing).byteCount
        }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(
            throws: CheckpointError.unwritable(
                file: path, operation: "rename the finished file to", reason: "Is a directory")
        ) { try write([], []) }
        #expect(try names() == ["model.safetensors"])
    }

    @Test("diskFull has a case of its own")
    func diskFull() {
        #expect(
            AtomicFile.failure("write", "x", ENOSPC, byteCount: 5) == .diskFull(file: "x", byteCount: 5))
        #expect(
            AtomicFile.failure("write", "x", EIO, byteCount: 5)
                == .unwritable(file: "x", operation: "write", reason: "Input/output error"))
    }

    @Test("opening reads no weight")
    func readsNoWeight() throws {
        let item = SafetensorsWriter.Item("a", .bfloat16, [64 << 20])
        var writer = try SafetensorsWriter(path: path, items: [item])
        try writer.writeHole(item.byteCount)
        try writer.finish()
        let page = MemoryPages.byteCount
        let checkpoint = try Checkpoint(folder: folder.path)
        let tensor = try checkpoint.tensor(named: "a", shape: [64 << 20])
        var isResident = [UInt8](repeating: 1, count: item.byteCount / page + 1)
        let start = try #require(checkpoint.files[0].bytes.baseAddress)
        try #require(
            mincore(UnsafeMutableRawPointer(mutating: start), checkpoint.files[0].byteCount, &isResident) == 0)
        let before = isResident.count { $0 & 1 == 1 }
        // One touch brings pages in: without this the first count could be of a kernel that does not tell.
        let touched = withExtendedLifetime(tensor) {
            tensor.address.load(fromByteOffset: item.byteCount / 2, as: UInt16.self)
        }
        #expect(touched == 0)
        mincore(UnsafeMutableRawPointer(mutating: start), checkpoint.files[0].byteCount, &isResident)
        let after = isResident.count { $0 & 1 == 1 }
        #expect(before <= 2, "only the header's pages are in memory")
        #expect(after > before)
    }

    /// Kilobytes of the mapping around an address that are in this process's memory.
    ///
    /// Advice on a part of a file splits its mapping into several that follow one another; all of them count.
    private func residentKilobytes(_ address: UnsafeRawPointer) throws -> Int {
        let target = UInt(bitPattern: address)
        var end: UInt?
        var isCounted = false
        var sum = 0
        for line in try String(contentsOfFile: "/proc/self/smaps", encoding: .utf8).split(separator: "\n") {
            let bounds = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
            if bounds.count == 2 {
                isCounted = (bounds[0]..<bounds[1]).contains(target) || (bounds[0] == end && line.contains(".safetensors"))
                if isCounted { end = bounds[1] }
            } else if isCounted, line.hasPrefix("Rss:") {
                sum += try #require(Int(line.split(separator: " ")[1]))
            }
        }
        try #require(end != nil, "the mapping is listed")
        return sum
    }

    @Test("pages of passed tensors leave the process, those of their neighbors stay")
    func dropsPages() throws {
        let items = ["a", "b", "c", "d"].map { SafetensorsWriter.Item($0, .uint8, [(4 << 20) + 1000]) }
        let data = [UInt8](repeating: 9, count: items[0].byteCount)
        try write(items, [data, data, data, data])
        let checkpoint = try Checkpoint(folder: folder.path)
        let start = try #require(checkpoint.files[0].bytes.baseAddress)
        func sum() -> Int { checkpoint.files[0].bytes.reduce(0) { $0 + Int($1) } }
        let before = sum()
        #expect(try residentKilobytes(start) > 16_000)
        checkpoint.advise(.dontNeed, tensors: ["c", "b"])
        let kilobytes = try residentKilobytes(start)
        // The kernel maps pages near a touched one too, so only the order of magnitude is certain.
        #expect(8000 < kilobytes && kilobytes < 9000)
        checkpoint.advise(.evict, tensors: ["a", "b", "c", "d"])
        #expect(try residentKilobytes(start) < 100)
        #expect(sum() == before)
    }
}
