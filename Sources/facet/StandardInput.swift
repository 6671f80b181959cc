import Foundation

/// Standard input as bytes or as text that was checked.
enum StandardInput {
    /// Reads everything up to the end of input, but no more than a limit.
    ///
    /// - Throws: `CommandError.unreadable` when there is more than the limit or reading fails.
    static func bytes(limit: Int) throws -> [UInt8] {
        var contents = Data()
        do {
            while let part = try FileHandle.standardInput.read(upToCount: 1 << 20), !part.isEmpty {
                contents.append(part)
                guard contents.count <= limit else {
                    throw CommandError.unreadable(
                        path: "standard input", reason: "it is longer than \(limit) bytes; send less")
                }
            }
        } catch let error as CommandError {
            throw error
        } catch {
            throw CommandError.unreadable(path: "standard input", reason: error.localizedDescription)
        }
        return [UInt8](contents)
    }

    /// Reads everything as UTF-8 text.
    ///
    /// - Throws: `CommandError.notUTF8` with the offset of the fault, `.unreadable`.
    static func text(limit: Int) throws -> String {
        let bytes = try bytes(limit: limit)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandError.notUTF8(
                what: "standard input", byteOffset: UTF8Check.firstInvalidOffset(bytes) ?? bytes.count)
        }
        return text
    }
}
