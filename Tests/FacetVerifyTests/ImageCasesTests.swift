import FacetTestSupport
import FacetVerify
import Foundation
import Testing

/// The folder of reference data: that of the environment variable `FACET_FIXTURES`, else the package's own.
private let fixtures: URL =
    ProcessInfo.processInfo.environment["FACET_FIXTURES"].map { URL(fileURLWithPath: $0) } ?? FixtureFolder.root

@Suite("Image reference cases")
struct ImageCasesTests {
    @Test("every picture of every folder passes under its tolerance")
    func everyCasePasses() throws {
        for folder in try FixtureDiscovery(root: fixtures).images {
            let results = try ImageCases(directory: folder).run()
            #expect(!results.isEmpty)
            for result in results where !result.passed {
                Issue.record("\(folder.lastPathComponent): \(result)")
            }
        }
    }

    @Test("the package's own pictures are all run: format, pixels, two sizes, and pixel values of one")
    func ownCasesAreComplete() throws {
        let results = try ImageCases(directory: FixtureFolder.path("preprocess")).run()
        let counts = Dictionary(grouping: results) { $0.tensor ?? "" }.mapValues(\.count)
        #expect(
            counts == [
                "format": 8, "decoded_rgb": 8, "resized_rgb_112": 8, "resized_rgb_224": 8, "pixel_values_112": 1,
            ])
        #expect(results.allSatisfy { $0.passed })
        // Everything but decoded JPEG is exact.
        let inexact = Set(results.filter { ($0.worst ?? 0) > 0 }.map { "\($0.name) \($0.tensor ?? "")" })
        #expect(inexact.isSubset(of: ["exif6.jpg decoded_rgb", "progressive.jpg decoded_rgb"]))
    }

    @Test("one changed byte of the reference is reported with its place")
    func differencesAreReported() throws {
        let temporary = try TemporaryFolder()
        let folder = try temporary.copy(of: FixtureFolder.path("preprocess"), as: "preprocess")
        let file = folder.appendingPathComponent("rgb.png.safetensors")
        var content = try Data(contentsOf: file)
        content[content.count - 2] ^= 0x10  // the green of the last pixel of the last tensor, resized_rgb_224
        try content.write(to: file)

        let failures = try ImageCases(directory: folder).run().filter { !$0.passed }
        let failure = try #require(failures.first)
        #expect(failures.count == 1)
        #expect(failure.name == "rgb.png" && failure.tensor == "resized_rgb_224")
        #expect(failure.index == [223, 223, 1] && failure.worst == 16 && failure.tolerance == 0)
    }

    @Test("a picture that is damaged or missing, and a size without reference, fail and the rest is still run")
    func failuresAreResults() throws {
        let temporary = try TemporaryFolder()
        let folder = try temporary.copy(of: FixtureFolder.path("preprocess"), as: "preprocess")
        try Data("text".utf8).write(to: folder.appendingPathComponent("rgb.png"))
        try FileManager.default.removeItem(at: folder.appendingPathComponent("gray.png"))
        try FileManager.default.removeItem(at: folder.appendingPathComponent("palette.png.safetensors"))
        let index = folder.appendingPathComponent("index.json")
        let text = try String(contentsOf: index, encoding: .utf8)
        try Data(text.replacingOccurrences(of: "112", with: "168").utf8).write(to: index)

        let results = try ImageCases(directory: folder).run()
        let failed = Set(results.filter { !$0.passed }.map { "\($0.name) \($0.tensor ?? "")" })
        let pictures = [
            "rgb.png", "alpha.png", "gray.png", "progressive.jpg", "exif6.jpg", "lossless.webp", "tiny3x2.png",
        ]
        let expected =
            pictures.map { $0 + " resized_rgb_168" } + ["palette.png "]
            + ["rgb.png", "gray.png"].flatMap { [$0 + " format", $0 + " decoded_rgb"] }
        #expect(failed == Set(expected))
    }

    @Test("an index without cases, or with sizes that are no numbers, is refused")
    func malformedIndexes() throws {
        let folder = try TemporaryFolder()
        let wrong = [
            #"{"cases": []}"#, #"{}"#, #"{"cases": [{"file": "a.png"}]}"#,
            #"{"cases": [{"file": "a.png", "expected": "b"}], "sizes": ["a"]}"#,
            #"{"cases": [{"file": "a.png", "expected": "b"}], "mean": [1, 2]}"#,
        ]
        for text in wrong {
            _ = try folder.file("index.json", Data(text.utf8))
            #expect(
                performing: { try ImageCases(directory: folder.url) },
                throws: { error in
                    guard case VerifyError.malformed(let path, _) = error else { return false }
                    return path.hasSuffix("index.json")
                })
        }
    }
}
