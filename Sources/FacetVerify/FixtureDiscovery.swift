import FacetJSON
import FacetTokenizer
package import Foundation

/// The folders of reference data under a root, by kind, each list sorted by path.
package struct FixtureDiscovery: Sendable, Hashable {
    /// Folders with a `config.json` and cases: sub-folders of `cases` that hold an `expected.json`.
    package private(set) var checkpoints: [URL] = []
    /// Folders with a `tokenizer.model` beside a file of cases.
    package private(set) var tokenizers: [URL] = []
    /// Folders with an `index.json` whose entries name an `expected` file.
    package private(set) var images: [URL] = []

    /// Folders with pictures, questions and true answers.
    package private(set) var accuracies: [URL] = []

    /// Whether nothing was found.
    package var isEmpty: Bool {
        checkpoints.isEmpty && tokenizers.isEmpty && images.isEmpty && accuracies.isEmpty
    }

    /// Searches a folder and everything in it, eight levels deep; links to folders are followed.
    ///
    /// - Throws: `VerifyError.unreadable` when the root itself cannot be listed.
    package init(root: URL) throws(VerifyError) {
        try search(root, depth: 0)
        checkpoints.sort { $0.path < $1.path }
        tokenizers.sort { $0.path < $1.path }
        images.sort { $0.path < $1.path }
        accuracies.sort { $0.path < $1.path }
    }

    private mutating func search(_ folder: URL, depth: Int) throws(VerifyError) {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        } catch {
            if depth > 0 { return }  // a folder that may not be read is no reference data
            throw .unreadable(path: folder.path, reason: error.localizedDescription)
        }
        classify(folder, Set(names))
        guard depth < 8 else { return }
        for name in names.sorted() where !name.hasPrefix(".") {
            let child = folder.appendingPathComponent(name)
            if isFolder(child) { try search(child, depth: depth + 1) }
        }
    }

    private mutating func classify(_ folder: URL, _ names: Set<String>) {
        if names.contains("config.json") && names.contains("cases") && hasModelCases(folder) {
            checkpoints.append(folder)
        }
        if names.contains("tokenizer.model") && TokenizerCases.fileNames.contains(where: names.contains) {
            tokenizers.append(folder)
        }
        if names.contains("index.json") && indexNamesExpectedFiles(folder) {
            images.append(folder)
        }
        if names.contains("index.json") && AccuracyCases.isPresent(in: folder) { accuracies.append(folder) }
    }

    private func hasModelCases(_ folder: URL) -> Bool {
        let cases = folder.appendingPathComponent("cases")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: cases.path)) ?? []
        return names.contains { exists(cases.appendingPathComponent($0).appendingPathComponent("expected.json")) }
    }

    /// Whether `index.json` is an index of images: other reference data has files of this name, too.
    private func indexNamesExpectedFiles(_ folder: URL) -> Bool {
        let path = folder.appendingPathComponent("index.json")
        guard let data = try? Data(contentsOf: path),
            let cases = (try? JSONValue(userText: [UInt8](data), source: path.path))?["cases"]?.array
        else { return false }
        return cases.contains { $0["file"]?.string != nil && $0["expected"]?.string?.hasSuffix(".safetensors") == true }
    }

    private func isFolder(_ url: URL) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    private func exists(_ url: URL) -> Bool {
        FileManager.default.fileExists(atPath: url.path)
    }
}
