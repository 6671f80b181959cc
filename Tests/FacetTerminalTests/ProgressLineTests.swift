import FacetTerminal
import Foundation
import Testing

@Suite struct ProgressLineTests {
    /// What a line writes during `body`, read back from a file in the terminal's place.
    private func written(isShown: Bool = true, _ body: (ProgressLine) -> Void) throws -> String {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("facet-progress-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: url) }
        try Data().write(to: url)
        let file = try FileHandle(forWritingTo: url)
        body(ProgressLine(Terminal(fileDescriptor: file.fileDescriptor), isShown: isShown))
        try file.close()
        return String(decoding: try Data(contentsOf: url), as: UTF8.self)
    }

    @Test("erases its text once, and never what was written after it")
    func clearing() throws {
        let output = try written { line in
            line.show("working")
            line.clear()
            line.clear()
        }
        #expect(output == "\r\u{1B}[Kworking\r\u{1B}[K")
        #expect(try written { $0.clear() }.isEmpty)
    }

    @Test("writes nothing where nobody looks")
    func hidden() throws {
        let output = try written(isShown: false) { line in
            line.show("working")
            line.clear()
        }
        #expect(output.isEmpty)
    }
}
