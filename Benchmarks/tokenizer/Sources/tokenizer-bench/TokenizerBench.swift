import FacetTokenizer
import Foundation

/// `tokenizer-bench time MODEL TEXT REPEATS` prints milliseconds of processor time for loading and encoding as JSON.
///
/// `tokenizer-bench ids MODEL` reads texts from standard input, each after its byte count (4 bytes, little-endian), and
/// writes the ids of each after their count, in the same form.
@main
struct TokenizerBench {
    static func main() throws {
        let arguments = CommandLine.arguments
        switch (arguments.dropFirst().first, arguments.count) {
        case ("time", 5): try time(model: arguments[2], text: arguments[3], repeats: Int(arguments[4]) ?? 1)
        case ("ids", 3): try writeIDs(model: arguments[2])
        default:
            FileHandle.standardError.write(
                Data("usage: tokenizer-bench time MODEL TEXT REPEATS | ids MODEL\n".utf8))
            exit(64)
        }
    }

    private static func time(model: String, text: String, repeats: Int) throws {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: model)))
        let content = String(decoding: try Data(contentsOf: URL(fileURLWithPath: text)), as: UTF8.self)
        let tokenizer = try Tokenizer(tokenizerModel: bytes)
        let object: [String: Any] = [
            "load_ms": try (0..<repeats).map { _ in
                try milliseconds { _ = try Tokenizer(tokenizerModel: bytes) }
            },
            "encode_ms": (0..<repeats).map { _ in
                milliseconds { _ = tokenizer.encode(content) }
            },
        ]
        FileHandle.standardOutput.write(try JSONSerialization.data(withJSONObject: object))
    }

    /// Processor time of this thread, so that other work on the machine counts as little as it can.
    private static func milliseconds(_ body: () throws -> Void) rethrows -> Double {
        let start = processorNanoseconds()
        try body()
        return Double(processorNanoseconds() - start) / 1e6
    }

    private static func processorNanoseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    private static func writeIDs(model: String) throws {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: model)))
        let tokenizer = try Tokenizer(tokenizerModel: bytes)
        let input = [UInt8](FileHandle.standardInput.readDataToEndOfFile())
        var output = Data()
        var position = 0
        while position + 4 <= input.count {
            let count = (0..<4).reduce(0) { $0 | Int(input[position + $1]) << (8 * $1) }
            position += 4
            let ids = try tokenizer.encode(utf8: Array(input[position..<(position + count)]))
            position += count
            append(Int32(ids.count), to: &output)
            for id in ids { append(id, to: &output) }
        }
        FileHandle.standardOutput.write(output)
    }

    private static func append(_ number: Int32, to output: inout Data) {
        withUnsafeBytes(of: number.littleEndian) { output.append(contentsOf: $0) }
    }
}
