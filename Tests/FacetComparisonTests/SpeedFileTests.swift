import FacetComparison
import Testing

/// Files of other programs' figures, good and bad.
@Suite struct SpeedFileTests {
    private static let line = #"""
        {"program": "llama.cpp", "version": "0.3.36", "name": "decode", "size": "1 request", "model": "small", \#
        "precision": "int8", "threads": 2, "unit": "tokens/s", "median": 50, "fastest": 55.5, "slowest": 40, "runs": 16}
        """#

    private func figures(_ text: String) throws -> [SpeedFigure] {
        try SpeedFile(parsing: Array(text.utf8), file: "peers.jsonl").figures
    }

    private func error(_ text: String) -> ComparisonError? {
        do throws(ComparisonError) {
            _ = try SpeedFile(parsing: Array(text.utf8), file: "peers.jsonl")
            return nil
        } catch { return error }
    }

    @Test("reads every member, and steps over blank lines and descriptions")
    func reading() throws {
        let text = "{\"program\": \"llama.cpp\", \"system_info\": \"AVX512 = 1\"}\n\n" + Self.line + "\r\n"
        let expected = SpeedFigure(
            program: "llama.cpp", version: "0.3.36",
            work: MeasuredWork(name: "decode", size: "1 request", model: "small"), precision: "int8", threads: 2,
            unit: "tokens/s", median: 50, fastest: 55.5, slowest: 40)
        #expect(try figures(text) == [expected])
    }

    @Test("a median alone is its own spread")
    func medianAlone() throws {
        let text = #"{"program":"p","name":"n","size":"s","precision":"int4","threads":1,"unit":"GB/s","median":2}"#
        let figure = try #require(try figures(text).first)
        #expect(figure.fastest == 2 && figure.slowest == 2 && figure.version == nil && figure.work.model == nil)
    }

    @Test(
        "a member that makes no sense is named with its line",
        arguments: [
            ("\"program\": \"llama.cpp\"", "\"program\": 7", "program"),
            ("\"program\": \"llama.cpp\"", "\"program\": \"\\u001b[2J\"", "program"),
            ("\"size\": \"1 request\", ", "", "size"), ("\"threads\": 2", "\"threads\": 0", "threads"),
            ("\"threads\": 2", "\"threads\": 2.5", "threads"), ("\"median\": 50", "\"median\": -1", "median"),
            ("\"median\": 50", "\"median\": \"fast\"", "median"), ("\"median\": 50", "\"median\": 1e999", "median"),
            ("\"slowest\": 40", "\"slowest\": 0", "slowest"), ("\"name\": \"decode\"", "\"name\": null", "name"),
        ])
    func wrongMembers(_ part: String, _ replacement: String, _ member: String) throws {
        let range = try #require(Self.line.firstRange(of: part))
        let text = "{}\n" + Self.line.replacingCharacters(in: range, with: replacement)
        guard case .wrongMember(_, let line, let named, _, _) = error(text) else {
            Issue.record("\(text): \(String(describing: error(text)))")
            return
        }
        #expect(line == 2 && named == member)
    }

    @Test("lines that are no objects, files without figures and endless files are refused")
    func refusals() {
        #expect(error("{}\n[1]\n") == .malformedLine(file: "peers.jsonl", line: 2, reason: "it is an array"))
        guard case .malformedLine(_, 1, _) = error(String(Self.line.dropLast())) else {
            Issue.record("a truncated line was read")
            return
        }
        #expect(error("") == .noFigures(file: "peers.jsonl"))
        #expect(error("{\"program\": \"p\"}\n") == .noFigures(file: "peers.jsonl"))
        let endless = String(repeating: " ", count: SpeedFile.byteLimit + 1)
        #expect(error(endless) == .tooLarge(file: "peers.jsonl", limit: "\(SpeedFile.byteLimit) bytes"))
    }
}

extension String {
    /// The text with a part replaced.
    fileprivate func replacingCharacters(in range: Range<String.Index>, with text: String) -> String {
        String(self[..<range.lowerBound]) + text + String(self[range.upperBound...])
    }
}
