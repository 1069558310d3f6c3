using System.Diagnostics;
using System.Threading.Tasks.Sources;
using EfScaling.Consistency;
using EfScaling.Diagnostics;

namespace EfScaling.Caching.Redis;

/// <summary>A request that yields a value to one caller, who either blocks or awaits.</summary>
/// <typeparam name="T">What the caller is given, also when it fails.</typeparam>
/// <remarks>
/// The caller that blocks is woken by the thread that reads, and needs no thread of the pool. The caller that awaits goes on in the pool, never on the thread
/// that reads: that one must not wait for user code.
/// </remarks>
internal abstract class RedisOperation<T>(string operation, Moment started, TimeSpan limit, TimeProvider clock, bool blocks)
    : RedisRequest(operation, started, limit), IValueTaskSource<T>
{
    private readonly object? _signal = blocks ? new object() : null;
    private ManualResetValueTaskSourceCore<T> _completion = new() { RunContinuationsAsynchronously = true };
    private CancellationTokenRegistration _cancellation;
    private volatile bool _isSet;

    /// <summary>Blocks until it is complete, at most for its time limit.</summary>
    public T Wait(RedisConnection connection)
    {
        if (connection.IsNear)
        {
            SpinAWhile();
        }

        lock (_signal!)
        {
            while (!_isSet)
            {
                var left = Limit - Started.Until(Moment.Now(clock), clock);
                if (left <= TimeSpan.Zero)
                {
                    break;
                }

                // A millisecond more: a wait that ends just too soon would be followed by one of nothing.
                Monitor.Wait(_signal, left + TimeSpan.FromMilliseconds(1));
            }
        }

        connection.Expire(this);
        lock (_signal)
        {
            // Whoever claimed it first is about to set it, if it was not this thread.
            while (!_isSet)
            {
                Monitor.Wait(_signal);
            }
        }

        return _completion.GetResult(_completion.Version);
    }

    /// <summary>Completes with the result, at most after the time limit.</summary>
    public ValueTask<T> AsTask(CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<T>(cancellationToken);
        }

        if (cancellationToken.CanBeCanceled && IsPending)
        {
            _cancellation = cancellationToken.UnsafeRegister(static (request, token) => ((RedisOperation<T>)request!).Cancel(token), this);
        }

        return new ValueTask<T>(this, _completion.Version);
    }

    /// <inheritdoc />
    public override bool Fail(RedisFailure failure)
    {
        if (!Complete(FailedWith(failure)))
        {
            return false;
        }

        CachingMeter.CountStoreFailure(failure.Tag);
        return true;
    }

    T IValueTaskSource<T>.GetResult(short token)
    {
        _cancellation.Dispose();
        return _completion.GetResult(token);
    }

    ValueTaskSourceStatus IValueTaskSource<T>.GetStatus(short token) => _completion.GetStatus(token);

    void IValueTaskSource<T>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _completion.OnCompleted(continuation, state, token, flags);

    /// <summary>Puts a failure in the form that the caller is given.</summary>
    protected abstract T FailedWith(RedisFailure failure);

    /// <summary>Completes it with a value.</summary>
    protected bool Complete(T result)
    {
        if (!TryClaim())
        {
            return false;
        }

        Record();
        _completion.SetResult(result);
        if (_signal is not null)
        {
            lock (_signal)
            {
                _isSet = true;
                Monitor.PulseAll(_signal);
            }
        }

        return true;
    }

    /// <summary>Completes it because the server refused.</summary>
    /// <returns><see langword="true"/>: nothing is sent again.</returns>
    protected bool Refuse(RedisFailure refusal)
    {
        Refusal = refusal;
        Fail(refusal);
        return true;
    }

    // To fall asleep and be woken takes longer than an answer from nearby. Others that want the processor get it meanwhile.
    private void SpinAWhile()
    {
        var spin = default(SpinWait);
        while (!_isSet && Started.Until(Moment.Now(clock), clock) < RedisConnection.Nearby)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    private void Cancel(CancellationToken cancellationToken)
    {
        if (TryClaim())
        {
            Debug.Assert(_signal is null, "Only those who await give a token.");
            _completion.SetException(new OperationCanceledException(cancellationToken));
        }
    }

    private void Record()
    {
        if (CachingMeter.TimesStore)
        {
            CachingMeter.RecordStore(Operation, Started.Until(Moment.Now(clock), clock));
        }
    }
}
