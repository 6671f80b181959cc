import FacetImage
import FacetTestSupport
import Foundation
import Testing

@Suite("Image source")
struct ImageSourceTests {
    @Test("an argument is standard input, a data: URL or a path")
    func arguments() throws {
        #expect(try ImageSource("-") == .standardInput)
        #expect(try ImageSource("photo.png") == .file(path: "photo.png"))
        #expect(try ImageSource("a:b//c.png") == .file(path: "a:b//c.png"))
        #expect(try ImageSource("1://c") == .file(path: "1://c"))
        #expect(try ImageSource("DATA:,x") == .dataURL("DATA:,x"))
    }

    @Test("remote addresses are refused by name")
    func remoteURLs() {
        for url in ["http://example.com/a.png", "https://example.com/a.png", "FTP://x", "file:///a.png", "s3://b/c"] {
            #expect(throws: ImageError.remoteURL(url)) { try ImageSource(url) }
        }
    }

    // MARK: Files

    @Test("a file's bytes are loaded whole, also at exactly the limit")
    func files() throws {
        let folder = try TemporaryFolder()
        let content = Data(noise(200_000))
        let file = try folder.file("a.bin", content)
        let source = try ImageSource(file.path)
        #expect(try source.load() == [UInt8](content))
        #expect(try source.load(limits: ImageLimits(byteCount: 200_000)).count == 200_000)
        #expect(throws: ImageError.fileTooLarge(image: file.path, byteCount: 200_000, limit: 199_999)) {
            try source.load(limits: ImageLimits(byteCount: 199_999))
        }
    }

    @Test("a missing file, a folder, an empty file and a file in place of a folder are told apart")
    func unusableFiles() throws {
        let folder = try TemporaryFolder()
        let empty = try folder.emptyFile("empty.png")
        let missing = folder.url.appendingPathComponent("missing.png").path
        #expect(throws: ImageError.missingFile(path: missing)) { try ImageSource(missing).load() }
        let inside = empty.path + "/a.png"
        #expect(throws: ImageError.missingFile(path: inside)) { try ImageSource(inside).load() }
        #expect(throws: ImageError.isFolder(path: folder.url.path)) { try ImageSource(folder.url.path).load() }
        #expect(throws: ImageError.emptyImage(image: empty.path)) { try ImageSource(empty.path).load() }
        #expect(throws: ImageError.missingFile(path: "")) { try ImageSource("").load() }
    }

    @Test("a sparse file of a terabyte is refused by its length, an endless device at the limit")
    func endlessFiles() throws {
        let folder = try TemporaryFolder()
        let file = try folder.emptyFile("huge.png")
        #expect(truncate(file.path, 1 << 40) == 0)
        let start = threadSeconds()
        #expect(throws: ImageError.fileTooLarge(image: file.path, byteCount: 1 << 40, limit: 32 << 20)) {
            try ImageSource(file.path).load()
        }
        #expect(threadSeconds() - start < 0.05)
        #expect(throws: ImageError.fileTooLarge(image: "/dev/zero", byteCount: nil, limit: 1 << 20)) {
            try ImageSource("/dev/zero").load(limits: ImageLimits(byteCount: 1 << 20))
        }
        #expect(throws: ImageError.emptyImage(image: "/dev/null")) { try ImageSource("/dev/null").load() }
    }

    @Test("a named pipe is read to its end")
    func pipes() throws {
        let folder = try TemporaryFolder()
        let path = folder.url.appendingPathComponent("pipe").path
        #expect(mkfifo(path, 0o600) == 0)
        let content = Data(noise(150_000))
        let writer = Thread { try? FileHandle(forWritingTo: URL(fileURLWithPath: path)).write(contentsOf: content) }
        writer.start()
        #expect(try ImageSource(path).load() == [UInt8](content))
    }

    @Test("a text file named like a picture says that it looks like text")
    func textFile() throws {
        let folder = try TemporaryFolder()
        let file = try folder.file("note.png", Data("just words\n".utf8))
        #expect(throws: ImageError.unknownFormat(image: file.path, looksLikeText: true)) {
            try ImageSource(file.path).bitmap()
        }
    }

    @Test("a picture comes out the same by file, bytes and data: URL")
    func wholePath() throws {
        let bytes = try ImageFixtures.bytes("rgb-8.png")
        let expected = try ImageDecoder().decode(bytes)
        let path = FixtureFolder.path("images").appendingPathComponent("rgb-8.png").path
        #expect(try ImageSource(path).bitmap() == expected)
        #expect(try ImageSource.bytes(bytes, name: "x").bitmap() == expected)
        let base64 = Data(bytes).base64EncodedString()
        #expect(try ImageSource("data:image/png;base64," + base64).bitmap() == expected)
        let percent = bytes.map { "%" + String(format: "%02x", $0) }.joined()
        #expect(try ImageSource("data:image/png," + percent).bitmap() == expected)
    }

    // MARK: data: URLs

    private func load(_ url: String, limit: Int = 1000) throws -> [UInt8] {
        try ImageSource.dataURL(url).load(limits: ImageLimits(byteCount: limit))
    }

    @Test("base64 of every length comes back, with padding, without, percent-encoded and in lines")
    func base64() throws {
        for count in 1...40 {
            let bytes = noise(count)
            let text = Data(bytes).base64EncodedString()
            let bare = text.filter { $0 != "=" }
            let lines = text.map { "\($0)\r\n " }.joined()
            let escaped = text.replacingOccurrences(of: "+", with: "%2B").replacingOccurrences(of: "=", with: "%3d")
            for form in [text, bare, lines, escaped] {
                #expect(try load("data:image/png;base64," + form) == bytes, "\(form)")
            }
        }
        #expect(try load("data:;base64,QUI=") == [0x41, 0x42])
        #expect(try load("data:image/png;charset=utf-8;BASE64,QUI=") == [0x41, 0x42])
        #expect(try load("data:base64,QUI=") == Array("QUI=".utf8))
    }

    @Test("text outside base64 is plain bytes after percent decoding")
    func percentEncoding() throws {
        #expect(try load("data:,a%20b%00%fF+c") == Array("a b".utf8) + [0, 0xFF] + Array("+c".utf8))
    }

    @Test("a malformed data: URL is refused and says why")
    func malformed() {
        let urls = [
            "data:image/png;base64", "data:", "data:;base64,A", "data:;base64,AAAAA", "data:;base64,QUI-",
            "data:;base64,QU_C", "data:;base64,QQ=", "data:;base64,Q===", "data:;base64,=QQQ", "data:;base64,QQ==QQ==",
            "data:;base64,Grüße", "data:,%", "data:,%1", "data:,%zz", "data:;base64,QQ%3", "data:;base64,\u{0}QQQ",
        ]
        for url in urls {
            #expect(
                performing: { try load(url) },
                throws: { error in
                    guard case ImageError.malformedDataURL(let reason) = error else { return false }
                    return !reason.isEmpty
                })
        }
        #expect(throws: ImageError.malformedDataURL(reason: "it does not begin with data:")) { try load("http://x,") }
        #expect(throws: ImageError.emptyImage(image: "The data: URL")) { try load("data:image/png;base64,") }
        #expect(throws: ImageError.emptyImage(image: "The data: URL")) { try load("data:,") }
    }

    @Test("the limit on bytes holds for data: URLs of both kinds, and is exact")
    func limits() throws {
        for count in 97...103 {
            let bytes = noise(count)
            let base64 = "data:;base64," + Data(bytes).base64EncodedString()
            let percent = "data:," + bytes.map { "%" + String(format: "%02X", $0) }.joined()
            for url in [base64, percent] {
                if count <= 100 {
                    #expect(try load(url, limit: 100) == bytes)
                } else {
                    #expect(
                        performing: { try load(url, limit: 100) },
                        throws: { error in
                            guard case ImageError.fileTooLarge("The data: URL", _, 100) = error else { return false }
                            return true
                        })
                }
            }
        }
    }
}
