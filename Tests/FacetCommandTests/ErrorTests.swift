import FacetTestSupport
import Foundation
import Testing

/// Every mistake a person can make ends in one line that says what to do: never a crash, never silence.
@Suite struct ErrorTests {
    private let tiny = FixtureFolder.path("glm4v-tiny").path
    private let picture = FixtureFolder.path("glm4v-tiny/images/cat.png").path

    /// Runs a command that must fail, and checks the form of its complaint.
    private func complaint(
        _ arguments: [String], status: Int32 = 1, input: Data = Data(), containing parts: [String]
    ) throws {
        let run = try CommandRun(arguments, input: input)
        #expect(run.status == status, "\(arguments): \(run.errorOutput)")
        #expect(run.errorLines.count == 1, "\(run.errorOutput)")
        #expect(run.errorOutput.hasPrefix("facet: "))
        #expect(run.output.isEmpty)
        for part in parts { #expect(run.errorOutput.contains(part), "\(run.errorOutput) lacks '\(part)'") }
    }

    @Test("a missing folder is named")
    func missingFolder() throws {
        try complaint(["run", "--model", "/no/such/folder", "hi"], containing: ["/no/such/folder"])
        try complaint(["inspect", "/no/such/folder"], containing: ["/no/such/folder"])
    }

    @Test("an empty folder is no model")
    func emptyFolder() throws {
        let folder = try TemporaryFolder()
        try complaint(["run", "--model", folder.url.path, "hi"], containing: [folder.url.path])
    }

    @Test("a truncated shard is named")
    func truncatedShard() throws {
        let folder = try TemporaryFolder()
        let copy = try folder.copy(of: URL(fileURLWithPath: tiny), as: "model")
        let shard = copy.appendingPathComponent("model-00002-of-00003.safetensors")
        try FileHandle(forWritingTo: shard).truncate(atOffset: 100_000)
        try complaint(["run", "--model", copy.path, "hi"], containing: ["model-00002-of-00003.safetensors"])
    }

    @Test("a corrupt index is named")
    func corruptIndex() throws {
        let folder = try TemporaryFolder()
        let copy = try folder.copy(of: URL(fileURLWithPath: tiny), as: "model")
        try Data("{\"weight_map\": {".utf8).write(to: copy.appendingPathComponent("model.safetensors.index.json"))
        try complaint(["inspect", copy.path], containing: ["model.safetensors.index.json"])
    }

    @Test("a model of another kind is refused by name")
    func otherModel() throws {
        let folder = try TemporaryFolder()
        let copy = try folder.copy(of: URL(fileURLWithPath: tiny), as: "model")
        let file = copy.appendingPathComponent("config.json")
        let text = try String(contentsOf: file, encoding: .utf8)
        try Data(text.replacingOccurrences(of: "\"chatglm\"", with: "\"llama\"").utf8).write(to: file)
        try complaint(["run", "--model", copy.path, "hi"], containing: ["llama", "chatglm"])
    }

    @Test(
        "a picture that is none is refused",
        arguments: [("text.png", Data("just words\n".utf8)), ("empty.png", Data())])
    func notAPicture(_ name: String, _ contents: Data) throws {
        let folder = try TemporaryFolder()
        let file = try folder.file(name, contents)
        try complaint(["run", "--image", file.path, "what?"], containing: [name])
        try complaint(["run", "--image", "-", "what?"], input: contents, containing: ["tandard input"])
    }

    @Test("a header that announces 400 megapixels is refused before anything is decoded")
    func bomb() throws {
        let folder = try TemporaryFolder()
        let file = try folder.file("bomb.png", Self.header(width: 20_000, height: 20_000))
        let start = ContinuousClock.now
        try complaint(["run", "--image", file.path, "what?"], containing: ["20000"])
        #expect(ContinuousClock.now - start < .seconds(30))
    }

    @Test("a missing picture and a folder in its place are named")
    func missingPicture() throws {
        try complaint(["run", "--image", "/no/such.png", "what?"], containing: ["/no/such.png"])
        try complaint(["run", "--image", tiny, "what?"], containing: [tiny])
    }

    @Test("two pictures are one too many")
    func twoPictures() throws {
        try complaint(["run", "--image", picture, "--image", picture, "what?"], containing: ["2 pictures", "one"])
    }

    @Test("a command line without a question is a usage error")
    func noQuestion() throws {
        try complaint(["run"], status: 64, containing: ["question", "--help"])
        try complaint(["run", "--nonsense", "hi"], status: 64, containing: ["--nonsense"])
        try complaint(["run", "--max-tokens", "many", "hi"], status: 64, containing: ["many"])
        try complaint(["run", ""], containing: ["nothing to answer"])
    }

    @Test("a prompt that is too long says by how much")
    func longPrompt() throws {
        let words = String(repeating: "word ", count: 20_000)
        try complaint(["run", words], containing: ["shorten"])
        try complaint(["run", "--max-tokens", "100000", "hi"], containing: ["at most"])
    }

    @Test("options out of range are named")
    func invalidOptions() throws {
        try complaint(["run", "--temperature=-1", "hi"], containing: ["temperature"])
        try complaint(["run", "--top-p", "2", "hi"], containing: ["top_p"])
        try complaint(["run", "--dtype", "int3", "hi"], containing: ["--dtype", "int3"])
        try complaint(["run", "--cache-dtype", "fp8", "hi"], containing: ["--cache-dtype", "int8", "fp8"])
        try complaint(["run", "--kv-dtype", "int9", "hi"], containing: ["--cache-dtype", "nearest is 'int8'"])
        try complaint(["run", "--threads", "0", "hi"], containing: ["--threads"])
        try complaint(["bench", "model", "--preset", "gpt-9"], containing: ["gpt-9", "glm-4v-9b"])
    }

    @Test("input that is not UTF-8 is refused with the offset of the fault")
    func invalidUTF8() throws {
        try complaint(["tokenize"], input: Data([0x61, 0x62, 0xFF, 0x63]), containing: ["UTF-8", "offset 2"])
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-c", "exec \"$0\" run \"$(printf 'a\\377b')\"", CommandRun.executable.path]
        let pipe = Pipe()
        shell.standardError = pipe
        try shell.run()
        let message = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        shell.waitUntilExit()
        #expect(shell.terminationStatus == 1)
        #expect(message.contains("UTF-8") && message.contains("offset 1"))
    }

    @Test("output that cannot be written is an error")
    func unwritableOutput() throws {
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-c", "exec \"$0\" run --json hello > /dev/full", CommandRun.executable.path]
        let pipe = Pipe()
        shell.standardError = pipe
        try shell.run()
        let message = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        shell.waitUntilExit()
        #expect(shell.terminationStatus == 1)
        #expect(message.hasPrefix("facet: cannot write to standard output"))
    }

    @Test("reference data that is not there is an error")
    func nothingToVerify() throws {
        let folder = try TemporaryFolder()
        try complaint(["verify", folder.url.path], containing: [folder.url.path])
        try complaint(["verify", "/no/such"], containing: ["/no/such"])
    }

    /// The first 33 bytes of a PNG: signature and header chunk.
    private static func header(width: UInt32, height: UInt32) -> Data {
        var chunk = Data("IHDR".utf8)
        for number in [width, height] { withUnsafeBytes(of: number.bigEndian) { chunk.append(contentsOf: $0) } }
        chunk.append(contentsOf: [8, 2, 0, 0, 0])
        var data = Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13])
        data.append(chunk)
        withUnsafeBytes(of: checksum(chunk).bigEndian) { data.append(contentsOf: $0) }
        return data
    }

    /// CRC-32 as PNG defines it.
    private static func checksum(_ data: Data) -> UInt32 {
        ~data.reduce(~UInt32(0)) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
        }
    }
}
