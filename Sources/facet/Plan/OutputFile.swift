import Foundation

/// Files that commands write whole.
enum OutputFile {
    /// Writes text, replacing what was there.
    ///
    /// - Throws: `CommandError.unwritable` with the option and the path.
    static func write(_ text: String, to path: String, option: String) throws {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: FilePath.expanded(path)), options: .atomic)
        } catch {
            throw CommandError.unwritable("the file '\(path)' of \(option)")
        }
    }
}
